"""Settings of the users service: plain assignments, values from the environment (.env.example
describes each).
"""

from servicekit import env
from servicekit import settings as kit
from servicekit.operations import logs

SECRET_KEY = env.secret("SECRET_KEY")
DEBUG = env.boolean("DEBUG", False)
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS", "users,localhost,127.0.0.1,testserver")

INSTALLED_APPS = [
    "users",  # before contrib.auth: its `changepassword` takes the place of Django's
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
    "drf_spectacular",
    "servicekit",
]
MIDDLEWARE = kit.MIDDLEWARE
ROOT_URLCONF = "users.urls"
WSGI_APPLICATION = "users.wsgi.application"
APPEND_SLASH = False

DATABASES = {"default": env.database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
BROKER_URL = env.secret("BROKER_URL")
EVENT_ROUTER = "users.handlers.router"
RELAY_BATCH = env.integer("RELAY_BATCH", 500, minimum=1, maximum=2000)
CONSUMER_BATCH = env.integer("CONSUMER_BATCH", 100, minimum=1, maximum=1000)

TOKEN_ISSUER = env.text("TOKEN_ISSUER", "souk")
TOKEN_AUDIENCE = env.text("TOKEN_AUDIENCE", "souk")
# The keys are at home here: tokens are checked against the ring itself.
TOKEN_KEYS = "users.services.signing_keys.jwks"  # noqa: S105 - a name, no secret
TOKEN_SIGNER = "users.services.signing_keys.signing_key"  # noqa: S105 - a name, no secret
KEY_ENCRYPTION_KEYS = env.encryption_keys("KEY_ENCRYPTION_KEY")
AUTH_USER_MODEL = "users.Account"
PASSWORD_HASHERS = ["users.hashers.SoukArgon2Hasher"]
# In this order; an answer names the first that objects.
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "users.password_validation.LengthValidator"},
    {"NAME": "users.password_validation.BlankValidator"},
    {"NAME": "users.password_validation.OwnEmailValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
EXPECTED_PROCESSES = ["relay"]
PURGES = [
    f"users.purges.{name}"
    for name in ("REFRESH_TOKENS", "SESSIONS", "SIGNING_KEYS", "LOGIN_ATTEMPTS")
]
PREPARE = ["ensure_signing_keys", "ensure_staff"]

REST_FRAMEWORK = kit.REST_FRAMEWORK
SIMPLE_JWT = kit.SIMPLE_JWT
SPECTACULAR_SETTINGS = kit.spectacular("Souk users", "Accounts, tokens and signing keys.")
SILENCED_SYSTEM_CHECKS = kit.SILENCED_SYSTEM_CHECKS

LOGGING = logs.logging("users")
USE_TZ = True
TIME_ZONE = "UTC"
