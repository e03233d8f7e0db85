"""What every service answers beside its API. The gateway routes none of it."""

from django.urls import path

from servicekit.operations import health

urlpatterns = [
    path("livez", health.livez),
    path("readyz", health.readyz),
    path("metrics", health.metrics_page),
]
