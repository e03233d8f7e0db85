"""Every write to orders: placement, settlement (which moves orders by transitions), catalogue."""
