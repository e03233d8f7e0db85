from django.urls import include, path

from servicekit.auth import revocation_list
from servicekit.http.exception_handler import handler400, handler403, handler404, handler500
from servicekit.http.routers import Router
from tests.project import views

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

router = Router()
router.register("events", views.EventViewSet, basename="event")

urlpatterns = [
    path("", include("servicekit.urls")),
    path(revocation_list.PATH, revocation_list.RevocationList.as_view()),
    path("open/", views.Open.as_view()),
    path("private/", views.Private.as_view()),
    path("staff/", views.ForStaff.as_view()),
    path("staff-writes/", views.ForStaffToWrite.as_view()),
    path("desk/", views.Desk.as_view()),
    path("counter/", views.Counter.as_view()),
    path("guest-book/", views.GuestBook.as_view()),
    path("basket/", views.Basket.as_view()),
    path("echo/", views.Echo.as_view()),
    path("failing/", views.Failing.as_view()),
    path("plain/", views.plain),
    path("", include(router.urls)),
    path("place/<str:shelf>/", views.Place.as_view()),
]
