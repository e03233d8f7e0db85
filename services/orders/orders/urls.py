from django.urls import include, path, register_converter

from orders.api import views
from servicekit.http.exception_handler import handler400, handler403, handler404, handler500
from servicekit.http.identifiers import IdConverter

register_converter(IdConverter, "id")


__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [
    path("", include("servicekit.urls")),
    path("api/orders/", views.Orders.as_view()),
    path("api/orders/<id:order_id>/", views.OneOrder.as_view()),
    path("api/orders/<id:order_id>/cancel/", views.Cancel.as_view()),
    path("api/orders/<id:order_id>/history/", views.History.as_view()),
    path("api/products/<id:product_id>/purchase/", views.Purchase.as_view()),
]
