"""The shape of images, and of the addresses of their files."""

from functools import lru_cache
from typing import Any

from django.core.files.storage import default_storage
from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from products.models import MAX_IMAGES, THUMBNAIL_WIDTHS
from servicekit.http.fields import CleanCharField, StrictIntegerField
from servicekit.http.serializers import RowSerializer, StrictSerializer


class ImageAlt(StrictSerializer):
    alt = CleanCharField(max_length=300, allow_blank=True, required=False)


class ImageChange(ImageAlt):
    position = StrictIntegerField(
        min_value=0,
        max_value=MAX_IMAGES - 1,
        required=False,
        help_text="0 is the first, which lists show; the others make room.",
    )


#: Asked once for each file that is shown again and again; what it answers stays as it is.
address_of_file = lru_cache(maxsize=20_000)(default_storage.url)


@extend_schema_field({"type": "string", "format": "uri-reference"})
class FileField(serializers.CharField):
    """The address of a file in the storage, by its name; without a name null."""

    def to_representation(self, value: Any) -> str | None:  # type: ignore[override]
        """Return the address."""
        return address_of_file(value) if value else None


@extend_schema_field(
    {
        "type": "object",
        "properties": {
            str(width): {"type": "string", "format": "uri-reference"} for width in THUMBNAIL_WIDTHS
        },
        "required": [str(width) for width in THUMBNAIL_WIDTHS],
    }
)
class ThumbnailsField(serializers.DictField):
    """The address of a thumbnail by its width in pixels; the image's until it is made."""

    def to_representation(self, value: Any) -> dict[str, str]:
        """Return the address of each."""
        return {width: address_of_file(file) for width, file in value.items()}


class ImageRead(RowSerializer):
    id = serializers.UUIDField()
    url = FileField(source="name")
    alt = serializers.CharField()
    position = serializers.IntegerField()
    width = serializers.IntegerField()
    height = serializers.IntegerField()
    bytes = serializers.IntegerField(source="size_bytes")
    thumbnails = ThumbnailsField(help_text="By their width; the image itself until they are made.")
    created_at = serializers.DateTimeField()


@extend_schema_serializer(many=False)
class ImageList(serializers.Serializer[Any]):
    results = ImageRead(many=True)
