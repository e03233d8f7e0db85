from django.urls import include, path, register_converter

from orders.api import views
from servicekit.identifiers import IdConverter

register_converter(IdConverter, "id")

handler400 = "servicekit.problems.bad_request"
handler403 = "servicekit.problems.permission_denied"
handler404 = "servicekit.problems.not_found"
handler500 = "servicekit.problems.server_error"

urlpatterns = [
    path("", include("servicekit.urls")),
    path("api/orders/", views.Orders.as_view()),
    path("api/orders/<id:order_id>/", views.OneOrder.as_view()),
    path("api/orders/<id:order_id>/cancel/", views.Cancel.as_view()),
    path("api/orders/<id:order_id>/history/", views.History.as_view()),
    path("api/products/<id:product_id>/purchase/", views.Purchase.as_view()),
]
