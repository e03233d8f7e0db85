"""HS256 tokens checked in the application, with one SELECT for the user: what simplejwt does by
default.
"""

import time

import jwt
from django.conf import settings
from django.contrib.auth.models import User
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request


class TokenAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[User, str] | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer":
            return None
        try:
            claims = jwt.decode(token, settings.SECRET_KEY, algorithms=["HS256"])
            return User.objects.get(pk=claims["user_id"], is_active=True), token
        except (jwt.InvalidTokenError, User.DoesNotExist) as error:
            raise AuthenticationFailed from error


def token_for(user: User) -> str:
    return jwt.encode(
        {"user_id": user.pk, "exp": int(time.time()) + 86_400},
        settings.SECRET_KEY,
        algorithm="HS256",
    )
