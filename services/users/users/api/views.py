"""The key set: the only address that is not a REST resource."""

import hashlib

import orjson
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from servicekit.http import conditional
from servicekit.http.viewsets import StrictAPIView
from users.api.serializers import KeySetRead
from users.services import signing_keys


class KeySet(StrictAPIView):
    """The public keys that verify access tokens (RFC 7517)."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(operation_id="read_key_set", responses={200: KeySetRead, 304: None}, auth=[])
    def get(self, request: Request) -> Response:
        body = signing_keys.jwks()
        tag = f'"{hashlib.sha256(orjson.dumps(body)).hexdigest()[:32]}"'
        max_age = f"public, max-age={signing_keys.JWKS_MAX_AGE_SECONDS}"
        headers = {"Cache-Control": max_age, "ETag": tag}
        if conditional.is_known(request, tag):
            return Response(status=304, headers=headers)
        return Response(body, headers=headers)
