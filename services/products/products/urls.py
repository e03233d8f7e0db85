from django.urls import include, path

from products.api.attributes.attribute_viewsets import AttributeViewSet
from products.api.bulk_viewsets import BulkOperationViewSet
from products.api.category_viewsets import CategoryViewSet
from products.api.images.image_viewsets import ProductImageViewSet
from products.api.import_viewsets import ExportViewSet, ImportViewSet
from products.api.movement_viewsets import MovementViewSet
from products.api.product_viewsets import ProductViewSet
from products.api.review_viewsets import ProductReviewViewSet, ReviewViewSet
from servicekit.http.exception_handler import handler400, handler403, handler404, handler500
from servicekit.http.routers import Router

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

router = Router()
router.register("products", ProductViewSet, basename="product")
router.register("reviews", ReviewViewSet, basename="review")
router.register("products/<id:product_id>/reviews", ProductReviewViewSet, basename="product-review")
router.register("attributes", AttributeViewSet, basename="attribute")
router.register("products/<id:product_id>/stock/movements", MovementViewSet, basename="movement")
router.register("products/<id:product_id>/images", ProductImageViewSet, basename="product-image")
router.register("categories", CategoryViewSet, basename="category")
router.register("bulk-operations", BulkOperationViewSet, basename="bulk-operation")
router.register("products/import", ImportViewSet, basename="import")
router.register("products/export", ExportViewSet, basename="export")

urlpatterns = [
    path("", include("servicekit.urls")),
    path("api/", include(router.urls)),
]
