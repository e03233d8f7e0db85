"""What the gateway's tests run against: a real nginx, and small HTTP servers in the services'
places.
"""
