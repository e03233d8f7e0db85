from django.urls import include, path

from servicekit import revocation_list
from users.api import views

handler400 = "servicekit.problems.bad_request"
handler403 = "servicekit.problems.permission_denied"
handler404 = "servicekit.problems.not_found"
handler500 = "servicekit.problems.server_error"

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
