"""Every write of the products service: the catalogue, its stock, and what orders take of it."""
