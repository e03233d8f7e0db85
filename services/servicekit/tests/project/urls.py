from django.urls import include, path

from servicekit import revocation_list
from tests.project import views

handler400 = "servicekit.problems.bad_request"
handler403 = "servicekit.problems.permission_denied"
handler404 = "servicekit.problems.not_found"
handler500 = "servicekit.problems.server_error"

urlpatterns = [
    path("", include("servicekit.urls")),
    path(revocation_list.PATH, revocation_list.RevocationList.as_view()),
    path("open/", views.Open.as_view()),
    path("private/", views.Private.as_view()),
    path("staff/", views.ForStaff.as_view()),
    path("staff-writes/", views.ForStaffToWrite.as_view()),
    path("basket/", views.Basket.as_view()),
    path("echo/", views.Echo.as_view()),
    path("failing/", views.Failing.as_view()),
    path("plain/", views.plain),
    path("events/", views.Events.as_view()),
    path("place/<str:shelf>/", views.Place.as_view()),
]
