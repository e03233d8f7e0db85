"""Settings of the products service: plain assignments; .env.example describes the variables."""

from products.roles import SCOPES
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
CACHES = {"default": env.cache("products")}
# The gateway answers for MEDIA_URL; in S3 it is the address of the bucket.
MEDIA_URL = env.text("MEDIA_URL", "/media/")
STORAGES = {"default": env.storage(url=MEDIA_URL)}
# An image is the largest body (image_viewsets.py); each view has a limit of its own below.
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

SERVICEKIT = kit.from_environment(
    "products",
    jobs={
        # Four times a day: a difference is a fault, and orders go on being sold by a wrong number.
        "products.check_stock": 6 * 3600.0,
        "products.run_bulk_operations": 2.0,
        "products.settle_reservations": 600.0,
        "products.mail_alerts": 20.0,
        "servicekit.send_mails": 5.0,
        "products.make_missing_thumbnails": 60.0,
        "products.delete_orphaned_images": 3600.0,
        "products.count_popularity": 60.0,
        "products.relate_products": 300.0,
    },
    purges="products.purges.PURGES",
    gauges=("products.operations.gauges",),
    readiness_checks={"cache": "servicekit.operations.cache.finding"},
)

# Twice the deadline that orders gives: a backlog of events is not asked about.
RESERVATION_SETTLED_SECONDS = env.integer(
    "RESERVATION_SETTLED_SECONDS", 1800, minimum=60, maximum=86_400
)

# EMAIL_BACKEND, EMAIL_HOST and so on.
globals().update(env.email("EMAIL_URL"))
DEFAULT_FROM_EMAIL = env.email_address("MAIL_FROM", "souk@localhost")
STOCK_ALERT_RECIPIENTS = env.email_addresses("STOCK_ALERT_RECIPIENTS", "")
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]

REST_FRAMEWORK = kit.REST_FRAMEWORK
SIMPLE_JWT = kit.SIMPLE_JWT
SPECTACULAR_SETTINGS = kit.spectacular("Souk products", "The catalogue and its stock.", SCOPES)
SILENCED_SYSTEM_CHECKS = kit.SILENCED_SYSTEM_CHECKS

LOGGING = logs.logging("products")
USE_TZ = True
TIME_ZONE = "UTC"
