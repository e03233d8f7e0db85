from django.urls import include, path

from products.api import views

handler400 = "servicekit.problems.bad_request"
handler403 = "servicekit.problems.permission_denied"
handler404 = "servicekit.problems.not_found"
handler500 = "servicekit.problems.server_error"

urlpatterns = [
    path("", include("servicekit.urls")),
    path("api/products/", views.Products.as_view()),
    path("api/products/<uuid:product_id>/", views.OneProduct.as_view()),
    path("api/products/<uuid:product_id>/stock/", views.Stock.as_view()),
    path("api/categories/", views.Categories.as_view()),
    path("api/categories/<uuid:category_id>/", views.OneCategory.as_view()),
]
