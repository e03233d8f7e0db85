from django.urls import include, path, register_converter

from products.api import views
from servicekit.http.exception_handler import handler400, handler403, handler404, handler500
from servicekit.http.identifiers import IdConverter

register_converter(IdConverter, "id")


__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [
    path("", include("servicekit.urls")),
    path("api/products/", views.Products.as_view()),
    path("api/products/<id:product_id>/", views.OneProduct.as_view()),
    path("api/products/<id:product_id>/stock/", views.Stock.as_view()),
    path("api/categories/", views.Categories.as_view()),
    path("api/categories/<id:category_id>/", views.OneCategory.as_view()),
]
