"""Every table of products."""

from products.models.attributes import Attribute
from products.models.bulk import BulkChange, BulkError, BulkOperation
from products.models.catalogue import (
    BASE_LANGUAGE,
    CURRENCIES,
    MAX_STOCK,
    SEARCH_CONFIGURATIONS,
    Category,
    Product,
    SearchWord,
)
from products.models.images import LIST_WIDTH, MAX_IMAGES, THUMBNAIL_WIDTHS, ProductImage
from products.models.imports import ImportChunk, ImportKey
from products.models.jobs import JobPosition
from products.models.reviews import ForgottenCustomer, Review
from products.models.sales import ProductSales, ProductViews, Purchase, RelatedProduct
from products.models.stock import Reservation, ReservationLine, StockAlert, StockMovement

__all__ = [
    "BASE_LANGUAGE",
    "CURRENCIES",
    "LIST_WIDTH",
    "MAX_IMAGES",
    "MAX_STOCK",
    "SEARCH_CONFIGURATIONS",
    "THUMBNAIL_WIDTHS",
    "Attribute",
    "BulkChange",
    "BulkError",
    "BulkOperation",
    "Category",
    "ForgottenCustomer",
    "ImportChunk",
    "ImportKey",
    "JobPosition",
    "Product",
    "ProductImage",
    "ProductSales",
    "ProductViews",
    "Purchase",
    "RelatedProduct",
    "Reservation",
    "ReservationLine",
    "Review",
    "SearchWord",
    "StockAlert",
    "StockMovement",
]
