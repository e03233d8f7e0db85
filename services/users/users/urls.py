from django.urls import include, path

from servicekit.auth import revocation_list
from servicekit.http.exception_handler import handler400, handler403, handler404, handler500
from servicekit.http.routers import Router
from users.api.second_factor_viewsets import (
    OwnSecondFactorViewSet,
    SecondFactorViewSet,
    SecondStepViewSet,
)
from users.api.session_viewsets import SessionViewSet
from users.api.user_viewsets import UserViewSet
from users.api.views import KeySet

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

router = Router()
router.register("users", UserViewSet, basename="user")
router.register("auth", SessionViewSet, basename="session")
router.register("auth", SecondStepViewSet, basename="second-step")
router.register("users/me", OwnSecondFactorViewSet, basename="own-second-factor")
router.register("users", SecondFactorViewSet, basename="second-factor")

urlpatterns = [
    path("", include("servicekit.urls")),
    path(".well-known/jwks.json", KeySet.as_view()),
    path(revocation_list.PATH, revocation_list.RevocationList.as_view()),
    path("api/", include(router.urls)),
]
