from django.urls import include, path

from orders.api.cart_viewsets import CartViewSet
from orders.api.fulfilment_viewsets import FulfilmentViewSet, ShipmentViewSet
from orders.api.order_viewsets import OrderViewSet
from orders.api.outcomes import OutcomeViewSet
from orders.api.payment_viewsets import PaymentViewSet
from orders.api.purchase_viewsets import PurchaseViewSet
from servicekit.http.exception_handler import handler400, handler403, handler404, handler500
from servicekit.http.routers import Router

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

router = Router()
router.register("cart", CartViewSet, basename="cart")
router.register("orders", OrderViewSet, basename="order")
router.register("orders", FulfilmentViewSet, basename="fulfilment")
router.register("orders/<id:order_id>/shipments", ShipmentViewSet, basename="shipment")
router.register("orders", PaymentViewSet, basename="payment")
# Where the gateway leads who waits; it routes nobody there.
internal = Router()
internal.register("outcomes", OutcomeViewSet, basename="outcome")
router.register("products", PurchaseViewSet, basename="purchase")

urlpatterns = [
    path("", include("servicekit.urls")),
    path("api/", include(router.urls)),
    path("internal/", include(internal.urls)),
]
