"""Catalogues of any size, made in databases of their own beside the shop's."""
