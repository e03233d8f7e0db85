"""Pictures of products. Their files are in Django's storage (services/image_files.py)."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from products.models.catalogue import Product

MAX_IMAGES = 20
#: Of thumbnails, in pixels. Narrower images have them all the same, at their own width.
THUMBNAIL_WIDTHS = (160, 480, 960)
#: Of the thumbnail that lists show.
LIST_WIDTH = 480


class ProductImage(models.Model):
    """One of a product's pictures; `position` 0 is the picture that lists show.

    `name` is its file's, `thumbnails` what the names of its thumbnails begin with, empty until
    they are made. Both are of one file each and never used again, so that whoever has a file may
    keep it for ever.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="images")
    position = models.SmallIntegerField()
    alt = models.CharField(max_length=300, default="", blank=True, db_default="")
    name = models.CharField(max_length=50, unique=True)
    thumbnails = models.CharField(max_length=50, default="", blank=True, db_default="")
    width = models.IntegerField()
    height = models.IntegerField()
    size_bytes = models.IntegerField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "product_image"
        constraints = [
            # Together: a product has no more than MAX_IMAGES. Deferred, because an order of
            # pictures is changed row by row.
            models.UniqueConstraint(
                fields=["product", "position"],
                name="product_image_position_once",
                deferrable=models.Deferrable.DEFERRED,
            ),
            models.CheckConstraint(
                condition=Q(position__gte=0, position__lt=MAX_IMAGES),
                name="product_image_position_known",
            ),
            models.CheckConstraint(
                condition=Q(width__gt=0, height__gt=0, size_bytes__gt=0),
                name="product_image_not_empty",
            ),
        ]
        indexes = [
            models.Index(fields=["thumbnails"], name="product_image_by_thumbnails"),
        ]

    def __str__(self) -> str:
        return self.name

    def thumbnail(self, width: int) -> str:
        """Return the file of a thumbnail; the image's own until there is one."""
        return thumbnail_name(self.thumbnails, width) if self.thumbnails else self.name


def thumbnail_name(thumbnails: str, width: int) -> str:
    """Return the file of the thumbnail of this width."""
    return f"{thumbnails}-{width}.webp"
