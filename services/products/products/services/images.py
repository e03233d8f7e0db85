"""Images of products: their rows, their order, and which of them lists show.

Every write locks the product, so that its images have the positions 0, 1, 2, … at any moment, and
`Product.image` is the file of the first.
"""

import logging
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from products.errors import TooManyImages
from products.models import LIST_WIDTH, MAX_IMAGES, THUMBNAIL_WIDTHS, Product, ProductImage
from products.services import image_files, pictures
from servicekit.http.problems import NotFound

logger = logging.getLogger(__name__)

#: Younger images have a job of their own that makes their thumbnails.
MISSING_AFTER = timedelta(minutes=1)
PER_SWEEP = 100


def add_image(*, product_id: UUID, content: bytes, alt: str = "") -> ProductImage:
    """Keep a picture as the product's last image; its thumbnails are made later.

    Raises:
        NotFound: there is no such product, or it was deleted.
        TooManyImages: it has MAX_IMAGES.
        UnsupportedImage: it is neither JPEG, PNG nor WebP.
        InvalidImage: it is too large, damaged, or has several frames.
        ServiceUnavailable: it cannot be decoded or stored now.
    """
    # Before the work and the file, and again under the lock.
    _check_room(_product(product_id))
    picture = pictures.reencode(content)
    name = f"{image_files.new_name(picture.content)}.webp"
    image_files.write(name, picture.content)
    with transaction.atomic():
        position = _check_room(_lock_product(product_id))
        image = ProductImage.objects.create(
            product_id=product_id,
            position=position,
            alt=alt,
            name=name,
            width=picture.width,
            height=picture.height,
            size_bytes=len(picture.content),
        )
        _show_first(product_id)
    return image


def edit_image(*, product_id: UUID, image_id: UUID, changes: dict[str, Any]) -> None:
    """Describe an image, or move it to a position; beyond the last it becomes the last.

    Raises:
        NotFound: the product has no such image.
    """
    with transaction.atomic():
        _lock_product(product_id)
        images = list(ProductImage.objects.filter(product_id=product_id).order_by("position"))
        image = next((each for each in images if each.pk == image_id), None)
        if image is None:
            raise NotFound
        image.alt = changes.get("alt", image.alt)
        images.remove(image)
        images.insert(changes.get("position", image.position), image)
        _number(images)
        _show_first(product_id)


def delete_image(*, product_id: UUID, image_id: UUID) -> None:
    """Take an image from a product; its files are cleared away later.

    Raises:
        NotFound: the product has no such image.
    """
    with transaction.atomic():
        _lock_product(product_id)
        if not ProductImage.objects.filter(product_id=product_id, pk=image_id).delete()[0]:
            raise NotFound
        _number(list(ProductImage.objects.filter(product_id=product_id).order_by("position")))
        _show_first(product_id)


def make_thumbnails(*, image_id: UUID) -> bool:
    """Make the thumbnails of an image that has none; return whether it has them by this.

    Raises:
        OSError: its file cannot be read.
        InvalidImage: its file is damaged.
        ServiceUnavailable: they cannot be stored now.
    """
    image = ProductImage.objects.filter(pk=image_id, thumbnails="").first()
    if image is None:
        return False
    with default_storage.open(image.name) as file:
        made = pictures.make_thumbnails(file, THUMBNAIL_WIDTHS)
    thumbnails = image_files.new_name(image.name.encode())
    for width, picture in made.items():
        image_files.write(f"{thumbnails}-{width}.webp", picture.content)
    with transaction.atomic():
        # Also of a deleted product. Of two workers at once, the files of one stay without a row.
        Product.objects.select_for_update(no_key=True).get(pk=image.product_id)
        rows = ProductImage.objects.filter(pk=image_id, thumbnails="")
        is_first = rows.update(thumbnails=thumbnails) > 0
        _show_first(image.product_id)
    return is_first


def make_missing_thumbnails(*, seconds: float) -> int:
    """Make the thumbnails whose job was lost, for about `seconds`; return of how many images."""
    deadline, count = time.monotonic() + seconds, 0
    missing = ProductImage.objects.filter(
        thumbnails="", created_at__lt=timezone.now() - MISSING_AFTER
    )
    # In any order: those whose file is gone must not always be the first.
    for image_id in list(missing.order_by("?").values_list("pk", flat=True)[:PER_SWEEP]):
        if time.monotonic() > deadline:
            break
        try:
            count += make_thumbnails(image_id=image_id)
        except Exception:
            logger.exception("thumbnails were not made", extra={"image": str(image_id)})
    return count


def _product(product_id: UUID, *, lock: bool = False) -> UUID:
    rows = Product.objects.filter(pk=product_id, deleted_at__isnull=True)
    rows = rows.select_for_update(no_key=True) if lock else rows
    if not rows.values_list("pk", flat=True).first():
        raise NotFound
    return product_id


def _lock_product(product_id: UUID) -> UUID:
    return _product(product_id, lock=True)


def _check_room(product_id: UUID) -> int:
    """Return how many images it has."""
    count = ProductImage.objects.filter(product_id=product_id).count()
    if count >= MAX_IMAGES:
        raise TooManyImages(f"A product has at most {MAX_IMAGES} images. Delete one first.")
    return count


def _number(images: list[ProductImage]) -> None:
    for position, image in enumerate(images):
        image.position = position
    ProductImage.objects.bulk_update(images, ["position", "alt"])


def _show_first(product_id: UUID) -> None:
    first = ProductImage.objects.filter(product_id=product_id).order_by("position").first()
    shown = first.thumbnail(LIST_WIDTH) if first else ""
    Product.objects.filter(pk=product_id).exclude(image=shown).update(image=shown)
