"""Every table of products."""

from products.models.bulk import BulkChange, BulkError, BulkOperation
from products.models.catalogue import CURRENCIES, MAX_STOCK, Category, Product
from products.models.imports import ImportChunk, ImportKey
from products.models.reviews import Review
from products.models.sales import ProductSales, Purchase
from products.models.stock import Reservation, ReservationLine, StockAlert, StockMovement

__all__ = [
    "CURRENCIES",
    "MAX_STOCK",
    "BulkChange",
    "BulkError",
    "BulkOperation",
    "Category",
    "ImportChunk",
    "ImportKey",
    "Product",
    "ProductSales",
    "Purchase",
    "Reservation",
    "ReservationLine",
    "Review",
    "StockAlert",
    "StockMovement",
]
