from django.urls import include, path

from servicekit.auth import revocation_list
from servicekit.http.exception_handler import handler400, handler403, handler404, handler500
from users.api import views

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [
    path("", include("servicekit.urls")),
    path(".well-known/jwks.json", views.KeySet.as_view()),
    path(revocation_list.PATH, revocation_list.RevocationList.as_view()),
    path("api/users/", views.Users.as_view()),
    path("api/users/me/", views.Me.as_view()),
    path("api/users/me/password/", views.Password.as_view()),
    path("api/auth/token/", views.LogIn.as_view()),
    path("api/auth/refresh/", views.Refresh.as_view()),
    path("api/auth/revoke/", views.Revoke.as_view()),
]
