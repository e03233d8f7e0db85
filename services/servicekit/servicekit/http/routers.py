"""The router of a service's viewsets. In a service's urls.py:

router = Router()
router.register("products", ProductViewSet, basename="product")
urlpatterns = [path("api/", include(router.urls))]
"""

from django.urls import register_converter
from rest_framework.routers import DefaultRouter

from servicekit.http.identifiers import IdConverter

register_converter(IdConverter, "id")


class Router(DefaultRouter):
    """DRF's default router, without its root view and format suffixes: one format is spoken.

    Patterns are `path()` patterns, so that a lookup is `<id:…>` (StrictViewSetMixin) and nothing
    else reaches a view.
    """

    include_root_view = False
    include_format_suffixes = False

    def __init__(self) -> None:
        super().__init__(use_regex_path=False)
