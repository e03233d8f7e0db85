"""The copy of the catalogue that prices orders."""

from django.db import models
from django.db.models.functions import Now


class CatalogueProduct(models.Model):
    """The copy of a product: the newest version that an event or a rebuild brought."""

    product_id = models.UUIDField(primary_key=True)
    version = models.IntegerField()
    slug = models.CharField(max_length=100, default="", blank=True)
    sku = models.CharField(max_length=64, default="", blank=True, db_default="")
    name = models.CharField(max_length=200, default="", blank=True)
    price = models.DecimalField(max_digits=12, decimal_places=2, default=0)
    currency = models.CharField(max_length=3, default="", blank=True)
    active = models.BooleanField(default=False)
    deleted = models.BooleanField(default=False)
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "catalogue_product"

    def __str__(self) -> str:
        return f"{self.slug} v{self.version}"
