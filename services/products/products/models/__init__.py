"""Every table of products."""

from products.models.catalogue import CURRENCIES, MAX_STOCK, Category, Product
from products.models.images import LIST_WIDTH, MAX_IMAGES, THUMBNAIL_WIDTHS, ProductImage
from products.models.reviews import Review
from products.models.sales import ProductSales, Purchase
from products.models.stock import Reservation, ReservationLine, StockAlert, StockMovement

__all__ = [
    "CURRENCIES",
    "LIST_WIDTH",
    "MAX_IMAGES",
    "MAX_STOCK",
    "THUMBNAIL_WIDTHS",
    "Category",
    "Product",
    "ProductImage",
    "ProductSales",
    "Purchase",
    "Reservation",
    "ReservationLine",
    "Review",
    "StockAlert",
    "StockMovement",
]
