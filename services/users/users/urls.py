from django.urls import include, path

from servicekit.auth import revocation_list
from servicekit.http.exception_handler import handler400, handler403, handler404, handler500
from servicekit.http.routers import Router
from users.api.account_viewsets import AccountViewSet, SecurityEventViewSet
from users.api.address_viewsets import AddressViewSet
from users.api.clients.client_token_viewsets import ClientTokenViewSet
from users.api.clients.client_viewsets import ServiceClientViewSet
from users.api.factors.passkey_viewsets import OwnPasskeyViewSet, PasskeyLogInViewSet
from users.api.factors.second_factor_viewsets import (
    OwnSecondFactorViewSet,
    SecondFactorViewSet,
    SecondStepViewSet,
)
from users.api.mail_viewsets import (
    EmailViewSet,
    OwnEmailViewSet,
    OwnVerificationViewSet,
    PasswordResetViewSet,
    VerificationViewSet,
)
from users.api.own_account_viewsets import OwnAccountViewSet
from users.api.own_session_viewsets import OwnSecurityEventViewSet, OwnSessionViewSet
from users.api.registration_viewsets import AccountCreationViewSet, RegistrationViewSet
from users.api.session_viewsets import SessionViewSet
from users.api.staff_viewsets import StaffViewSet
from users.api.user_viewsets import UserViewSet
from users.api.views import KeySet

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

router = Router()
router.register("users", UserViewSet, basename="user")
router.register("users", StaffViewSet, basename="member")
router.register("users", AccountViewSet, basename="account")
router.register(
    "users/<id:account_id>/security-events", SecurityEventViewSet, basename="security-event"
)
router.register("users/me", OwnAccountViewSet, basename="own-account")
router.register("users/me/addresses", AddressViewSet, basename="address")
router.register("users/me/security-events", OwnSecurityEventViewSet, basename="own-event")
router.register("users/me/sessions", OwnSessionViewSet, basename="own-session")
router.register("auth", SessionViewSet, basename="session")
router.register("auth/oauth", ClientTokenViewSet, basename="client-token")
router.register("clients", ServiceClientViewSet, basename="client")
router.register("users/registration", RegistrationViewSet, basename="registration")
router.register("users/accounts", AccountCreationViewSet, basename="account-creation")
router.register("users/verification", VerificationViewSet, basename="verification")
router.register("users/me/verification", OwnVerificationViewSet, basename="own-verification")
router.register("users/password-reset", PasswordResetViewSet, basename="password-reset")
router.register("users/email", EmailViewSet, basename="email")
router.register("users/me/email", OwnEmailViewSet, basename="own-email")
router.register("auth", SecondStepViewSet, basename="second-step")
router.register("users/me", OwnSecondFactorViewSet, basename="own-second-factor")
router.register("users", SecondFactorViewSet, basename="second-factor")
router.register("auth", PasskeyLogInViewSet, basename="passkey-log-in")
router.register("users/me/passkeys", OwnPasskeyViewSet, basename="own-passkey")

urlpatterns = [
    path("", include("servicekit.urls")),
    path(".well-known/jwks.json", KeySet.as_view()),
    path(revocation_list.PATH, revocation_list.RevocationList.as_view()),
    path("api/", include(router.urls)),
]
