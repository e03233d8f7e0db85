"""Settings of the orders service: plain assignments; .env.example describes the variables."""

from orders.payment_providers import PROVIDERS
from orders.roles import SCOPES
from servicekit import env
from servicekit import settings as kit
from servicekit.operations import logs

SECRET_KEY = env.secret("SECRET_KEY")
DEBUG = env.boolean("DEBUG", False)
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS", "orders,localhost,127.0.0.1,testserver")

INSTALLED_APPS = [*kit.INSTALLED_APPS, "orders"]
MIDDLEWARE = kit.MIDDLEWARE
ROOT_URLCONF = "orders.urls"
WSGI_APPLICATION = "orders.wsgi.application"
APPEND_SLASH = False
# The gateway says how the client came; the cart's cookie is Secure where that was TLS.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

DATABASES = {"default": env.database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

SERVICEKIT = kit.from_environment(
    "orders",
    jobs={
        "orders.ask_payment_provider": 2.0,
        "orders.expire_overdue_orders": 5.0,
        "orders.forget_customers": 60.0,
    },
    purges="orders.purges.PURGES",
    readiness_checks={"overdue": "orders.operations.check_overdue"},
    gauges=("orders.operations.gauges",),
    expected_processes=("relay", "consumer", "worker", "live"),
)

# Where changed orders are announced to `live`; without it, sockets and waiters are told by polling.
REDIS_URL = env.text("REDIS_URL", "")
# host:port of `live`, beside web's own.
LIVE_BIND = env.text("LIVE_BIND", "0.0.0.0:8000")
PRODUCTS_URL = env.text("PRODUCTS_URL", "http://products:8000")
# Longer than any outage we mean to sit out: a broker away for a minute must not cost orders
# (docs/adr/0020-order-deadline.md).
ORDER_DEADLINE_SECONDS = env.integer("ORDER_DEADLINE_SECONDS", 900, minimum=1, maximum=43_200)
# Zero is no limit.
CUSTOMER_MAX_UNITS_PER_PRODUCT = env.integer(
    "CUSTOMER_MAX_UNITS_PER_PRODUCT", 0, minimum=0, maximum=1_000_000
)
CUSTOMER_MAX_PENDING_ORDERS = env.integer(
    "CUSTOMER_MAX_PENDING_ORDERS", 0, minimum=0, maximum=1_000_000
)

# "test" asks for money before orders are confirmed; see payment_providers/.
PAYMENT_PROVIDER = env.choice("PAYMENT_PROVIDER", "", PROVIDERS)

REST_FRAMEWORK = kit.REST_FRAMEWORK
SIMPLE_JWT = kit.SIMPLE_JWT
SPECTACULAR_SETTINGS = kit.spectacular("Souk orders", "Orders, from placing to their end.", SCOPES)
SILENCED_SYSTEM_CHECKS = kit.SILENCED_SYSTEM_CHECKS

LOGGING = logs.logging("orders")
USE_TZ = True
TIME_ZONE = "UTC"
