"""Settings of the products service: plain assignments, values from the environment (.env.example describes each)."""

from servicekit import env
from servicekit import settings as kit
from servicekit.operations import logs

SECRET_KEY = env.secret("SECRET_KEY")
DEBUG = env.boolean("DEBUG", False)
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS", "products,localhost,127.0.0.1,testserver")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "servicekit",
    "products",
]
MIDDLEWARE = kit.MIDDLEWARE
ROOT_URLCONF = "products.urls"
WSGI_APPLICATION = "products.wsgi.application"
APPEND_SLASH = False

DATABASES = {"default": env.database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
BROKER_URL = env.secret("BROKER_URL")
EVENT_ROUTER = "products.handlers.router"
RELAY_BATCH = env.integer("RELAY_BATCH", 500, minimum=1, maximum=2000)
CONSUMER_BATCH = env.integer("CONSUMER_BATCH", 100, minimum=1, maximum=1000)

TOKEN_ISSUER = env.text("TOKEN_ISSUER", "souk")
TOKEN_AUDIENCE = env.text("TOKEN_AUDIENCE", "souk")
JWKS_URL = env.text("JWKS_URL", "http://users:8000/.well-known/jwks.json")
JWKS_CACHE_FILE = env.text("JWKS_CACHE_FILE", "")

REST_FRAMEWORK = kit.REST_FRAMEWORK
SIMPLE_JWT = kit.SIMPLE_JWT
SPECTACULAR_SETTINGS = kit.spectacular("Souk products", "The catalogue and its stock.")
SILENCED_SYSTEM_CHECKS = kit.SILENCED_SYSTEM_CHECKS

LOGGING = logs.logging("products")
USE_TZ = True
TIME_ZONE = "UTC"
