"""Examples of passkeys for the OpenAPI document."""

from drf_spectacular.utils import OpenApiExample

CHALLENGE = "dEJ5b1NqZm5yX3VQOjF2WWFiYzpzaWduYXR1cmU"
CREDENTIAL_ID = "y3Nn5kQ0bWc0V1mE2p8s7w"
CLIENT_DATA = "eyJ0eXBlIjoid2ViYXV0aG4uZ2V0In0"
REQUEST_OPTIONS = OpenApiExample(
    "For navigator.credentials.get()",
    {
        "publicKey": {
            "challenge": CHALLENGE,
            "timeout": 300000,
            "rpId": "localhost",
            "allowCredentials": [],
            "userVerification": "required",
        }
    },
    response_only=True,
)
CREATION_OPTIONS = OpenApiExample(
    "For navigator.credentials.create()",
    {
        "publicKey": {
            "rp": {"name": "Souk", "id": "localhost"},
            "user": {"id": "AZJ", "name": "ada@example.org", "displayName": "Ada"},
            "challenge": CHALLENGE,
            "pubKeyCredParams": [{"type": "public-key", "alg": -7}],
            "timeout": 300000,
            "excludeCredentials": [],
            "authenticatorSelection": {
                "residentKey": "preferred",
                "requireResidentKey": False,
                "userVerification": "preferred",
            },
            "attestation": "none",
        }
    },
    response_only=True,
)
_ASSERTION = {
    "id": CREDENTIAL_ID,
    "rawId": CREDENTIAL_ID,
    "type": "public-key",
    "response": {
        "clientDataJSON": CLIENT_DATA,
        "authenticatorData": "SZYN5YgOjGh0NBcPZHZgW4_krrmihjLHmVzzuoMdl2MFAAAAAQ",
        "signature": "MEUCIQDx",
        "userHandle": "AZJ",
    },
}
ASSERTION = OpenApiExample("Ada", {"credential": _ASSERTION}, request_only=True)
PASSKEY_ANSWER = OpenApiExample(
    "Passkey",
    {"challenge": "pGbA7yq0m3V1d8sW5nT2xKfR4uJ6hLcE9oZiXvQwY_I", "passkey": _ASSERTION},
    request_only=True,
)
NEW_PASSKEY = OpenApiExample(
    "Ada's phone",
    {
        "name": "Phone",
        "credential": {
            "id": CREDENTIAL_ID,
            "rawId": CREDENTIAL_ID,
            "type": "public-key",
            "response": {
                "clientDataJSON": CLIENT_DATA,
                "attestationObject": "o2NmbXRkbm9uZQ",
                "transports": ["internal", "hybrid"],
            },
        },
    },
    request_only=True,
)
PASSWORD = OpenApiExample(
    "Ada, without a second factor", {"current_password": "a long enough one"}, request_only=True
)
PROOF = OpenApiExample(
    "Ada", {"current_password": "a long enough one", "code": "492039"}, request_only=True
)
