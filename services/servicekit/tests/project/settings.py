"""A service with nothing but the kit, for the kit's own tests."""

import os
from pathlib import Path

from servicekit import env, settings
from servicekit.conf import KitSettings

SECRET_KEY = "for tests only"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "servicekit"]
os.environ.setdefault(
    "DATABASE_URL", os.environ.get("TEST_DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")
)
DATABASES = {"default": env.database()}
SERVICEKIT = KitSettings(
    service="project",
    broker_url=os.environ.get("TEST_BROKER_URL", ""),
    jobs_broker_url=os.environ.get("TEST_BROKER_URL", ""),
    event_router="tests.project.handlers.router",
    expected_processes=("relay", "consumer"),
    jwks_url="http://127.0.0.1:1/.well-known/jwks.json",
)
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "templates"],
        "APP_DIRS": True,
    }
]
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

ALLOWED_HOSTS = ["testserver"]
MIDDLEWARE = settings.MIDDLEWARE
ROOT_URLCONF = "tests.project.urls"
APPEND_SLASH = False
REST_FRAMEWORK = settings.REST_FRAMEWORK
SIMPLE_JWT = settings.SIMPLE_JWT
