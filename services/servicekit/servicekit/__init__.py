"""What every Souk service shares.

It knows nothing of shops: no product, order or price is named here.
"""
