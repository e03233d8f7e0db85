"""Settings of the products service: plain assignments; .env.example describes the variables."""

from servicekit import env
from servicekit import settings as kit
from servicekit.operations import logs

SECRET_KEY = env.secret("SECRET_KEY")
DEBUG = env.boolean("DEBUG", False)
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS", "products,localhost,127.0.0.1,testserver")

INSTALLED_APPS = [*kit.INSTALLED_APPS, "django.contrib.postgres", "products"]
MIDDLEWARE = kit.MIDDLEWARE
ROOT_URLCONF = "products.urls"
WSGI_APPLICATION = "products.wsgi.application"
APPEND_SLASH = False

DATABASES = {"default": env.database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

SERVICEKIT = kit.from_environment(
    "products",
    jobs={
        # Four times a day: a difference is a fault, and orders go on being sold by a wrong number.
        "products.check_stock": 6 * 3600.0,
        "products.run_bulk_operations": 5.0,
    },
    purges="products.purges.PURGES",
)

REST_FRAMEWORK = kit.REST_FRAMEWORK
SIMPLE_JWT = kit.SIMPLE_JWT
SPECTACULAR_SETTINGS = kit.spectacular("Souk products", "The catalogue and its stock.")
SILENCED_SYSTEM_CHECKS = kit.SILENCED_SYSTEM_CHECKS

LOGGING = logs.logging("products")
USE_TZ = True
TIME_ZONE = "UTC"
