from django.urls import include, path, register_converter

from products.api import views
from servicekit.identifiers import IdConverter

register_converter(IdConverter, "id")

handler400 = "servicekit.problems.bad_request"
handler403 = "servicekit.problems.permission_denied"
handler404 = "servicekit.problems.not_found"
handler500 = "servicekit.problems.server_error"

urlpatterns = [
    path("", include("servicekit.urls")),
    path("api/products/", views.Products.as_view()),
    path("api/products/<id:product_id>/", views.OneProduct.as_view()),
    path("api/products/<id:product_id>/stock/", views.Stock.as_view()),
    path("api/categories/", views.Categories.as_view()),
    path("api/categories/<id:category_id>/", views.OneCategory.as_view()),
]
