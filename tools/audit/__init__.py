"""`make audit`: do stock, orders, events and money agree over the three databases and the broker?

It reads and changes nothing.
"""
