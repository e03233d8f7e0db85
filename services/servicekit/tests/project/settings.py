"""A service with nothing but the kit, for the kit's own tests."""

import os

from servicekit import env, settings

SECRET_KEY = "for tests only"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "servicekit"]
os.environ.setdefault(
    "DATABASE_URL", os.environ.get("TEST_DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")
)
DATABASES = {"default": env.database()}
BROKER_URL = os.environ.get("TEST_BROKER_URL", "")
RELAY_BATCH = 500
CONSUMER_BATCH = 100
EVENT_ROUTER = "tests.project.handlers.router"
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

ALLOWED_HOSTS = ["testserver"]
MIDDLEWARE = settings.MIDDLEWARE
ROOT_URLCONF = "tests.project.urls"
APPEND_SLASH = False
REST_FRAMEWORK = settings.REST_FRAMEWORK
SIMPLE_JWT = settings.SIMPLE_JWT
TOKEN_ISSUER = "souk"
TOKEN_AUDIENCE = "souk"
JWKS_URL = "http://127.0.0.1:1/.well-known/jwks.json"
