from django.urls import include, path

from orders.api.outcomes import OutcomeViewSet
from orders.api.viewsets import OrderViewSet, PurchaseViewSet
from servicekit.http.exception_handler import handler400, handler403, handler404, handler500
from servicekit.http.routers import Router

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

router = Router()
router.register("orders", OrderViewSet, basename="order")
# Where the gateway leads who waits; it routes nobody there.
internal = Router()
internal.register("outcomes", OutcomeViewSet, basename="outcome")
router.register("products", PurchaseViewSet, basename="purchase")

urlpatterns = [
    path("", include("servicekit.urls")),
    path("api/", include(router.urls)),
    path("internal/", include(internal.urls)),
]
