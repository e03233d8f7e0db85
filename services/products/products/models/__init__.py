"""Every table of products."""

from products.models.attributes import Attribute
from products.models.catalogue import (
    BASE_LANGUAGE,
    CURRENCIES,
    MAX_STOCK,
    SEARCH_CONFIGURATIONS,
    Category,
    Product,
    SearchWord,
)
from products.models.reviews import Review
from products.models.sales import ProductSales, Purchase
from products.models.stock import Reservation, ReservationLine, StockAlert, StockMovement

__all__ = [
    "BASE_LANGUAGE",
    "CURRENCIES",
    "MAX_STOCK",
    "SEARCH_CONFIGURATIONS",
    "Attribute",
    "Category",
    "Product",
    "ProductSales",
    "Purchase",
    "Reservation",
    "ReservationLine",
    "Review",
    "SearchWord",
    "StockAlert",
    "StockMovement",
]
