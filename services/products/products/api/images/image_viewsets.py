"""Images of products over HTTP: everybody reads, staff write."""

from typing import Any, ClassVar
from uuid import UUID

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from products import selectors
from products.api.images.image_serializers import ImageAlt, ImageChange, ImageList, ImageRead
from products.api.permissions import EditsCatalogueOrReads, SeesHidden
from products.models import ProductImage
from products.services.images import add_image, delete_image, edit_image
from servicekit.http.parsers import MAX_BODY_BYTES, BytesParser
from servicekit.http.viewsets import StrictViewSetMixin

MAX_IMAGE_BYTES = 10 * 1024 * 1024
ALT = OpenApiParameter("alt", OpenApiTypes.STR, description="What is to be seen, in words.")


class ImageParser(BytesParser):
    """Reads an image. Which of them it is, its bytes say."""

    media_type = "image/*"


class ProductImageViewSet(StrictViewSetMixin, GenericViewSet[ProductImage]):
    """The images of a product, in the order in which they are shown."""

    permission_classes = (EditsCatalogueOrReads,)
    queryset = ProductImage.objects.none()
    serializer_class = ImageRead
    pagination_class = None  # type: ignore[assignment]
    list_actions = frozenset()
    query_parameters: ClassVar = {"create": {"alt"}}
    lookup_url_kwarg = "image_id"

    def get_parsers(self) -> list[BaseParser]:
        """Return the parser of images where one is sent, else that of JSON."""
        # DRF asks before it has named the action.
        is_upload = self.request is not None and self.request.method == "POST"
        return [ImageParser()] if is_upload else super().get_parsers()

    @property
    def max_body_bytes(self) -> int:  # type: ignore[override]
        """The largest body that is read, in bytes."""
        return MAX_IMAGE_BYTES if self.action == "create" else MAX_BODY_BYTES

    @extend_schema(operation_id="list_images", responses=ImageList)
    def list(self, request: Request, product_id: UUID) -> Response:
        """Every image of a product: at most twenty."""
        return Response({"results": ImageRead.bodies(_rows(request, product_id))})

    @extend_schema(operation_id="read_image")
    def retrieve(self, request: Request, product_id: UUID, image_id: UUID) -> Response:
        """One image."""
        return Response(_body(request, product_id, image_id))

    @extend_schema(
        operation_id="add_image",
        parameters=[ALT],
        request=dict.fromkeys(("image/jpeg", "image/png", "image/webp"), OpenApiTypes.BINARY),
        responses={201: ImageRead},
    )
    def create(self, request: Request, product_id: UUID) -> Response:
        """Add an image behind the others: the file is the body, of at most 10 MiB.

        It is kept as WebP without metadata, at most 2,048 pixels wide or high.
        """
        text = ImageAlt(data=request.query_params.dict())
        text.is_valid(raise_exception=True)
        # DRF asks no parser where there is no body.
        content: Any = request.data or b""
        image = add_image(product_id=product_id, content=content, **text.validated_data)
        # If the broker is away, a later sweep makes them.
        _send("products.make_thumbnails", str(image.pk))
        headers = {"Location": f"{request.path}{image.pk}/"}
        return Response(_body(request, product_id, image.pk), 201, headers=headers)

    @extend_schema(operation_id="edit_image", request=ImageChange)
    def partial_update(self, request: Request, product_id: UUID, image_id: UUID) -> Response:
        """Describe an image, or move it; the others make room."""
        changes = self.valid(ImageChange, partial=True)
        edit_image(product_id=product_id, image_id=image_id, changes=changes)
        return Response(_body(request, product_id, image_id))

    @extend_schema(operation_id="delete_image", responses={204: None})
    def destroy(self, request: Request, product_id: UUID, image_id: UUID) -> Response:
        """Take an image from its product. Its address may answer for another day."""
        self.refuse_members()
        delete_image(product_id=product_id, image_id=image_id)
        return Response(status=204)


def _rows(request: Request, product_id: UUID) -> list[dict[str, Any]]:
    if not selectors.is_visible(product_id=product_id, is_staff=SeesHidden.allows(request)):
        raise Http404
    return selectors.list_images(product_id=product_id)


def _body(request: Request, product_id: UUID, image_id: UUID) -> dict[str, Any]:
    for row in _rows(request, product_id):
        if row["id"] == image_id:
            return ImageRead.body(row)
    raise Http404


def _send(task: str, *arguments: str) -> None:
    # Only a process that takes images loads Celery, which is 7 MiB.
    from servicekit.operations.jobs import send

    send(task, *arguments)
