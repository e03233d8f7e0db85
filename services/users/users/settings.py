"""Settings of the users service: plain assignments; .env.example describes the variables."""

from servicekit import env
from servicekit import settings as kit
from servicekit.operations import logs
from users import passkey_settings
from users.roles import SCOPES

SECRET_KEY = env.secret("SECRET_KEY")
DEBUG = env.boolean("DEBUG", False)
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS", "users,localhost,127.0.0.1,testserver")

# Before contrib.auth: its `changepassword` takes the place of Django's.
INSTALLED_APPS = ["users", *kit.INSTALLED_APPS]
MIDDLEWARE = kit.MIDDLEWARE
ROOT_URLCONF = "users.urls"
WSGI_APPLICATION = "users.wsgi.application"
APPEND_SLASH = False

DATABASES = {"default": env.database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

SERVICEKIT = kit.from_environment(
    "users",
    # The keys are at home here: tokens are checked against the ring itself.
    token_keys="users.services.signing_keys.jwks",  # noqa: S106 - a name, no secret
    token_signer="users.services.signing_keys.signing_key",  # noqa: S106
    token_life_seconds=env.integer("ACCESS_TOKEN_SECONDS", 300, minimum=6, maximum=300),
    jobs={
        "users.answer_mail_requests": 5.0,
        "users.rotate_signing_key_when_due": 600.0,
        "servicekit.send_mails": 5.0,
    },
    purges="users.purges.PURGES",
    prepare=("ensure_signing_keys", "ensure_staff"),
)

KEY_ENCRYPTION_KEYS = env.encryption_keys("KEY_ENCRYPTION_KEY")
SECOND_FACTOR_FOR_STAFF = env.boolean("SECOND_FACTOR_FOR_STAFF", False)
PASSKEY_RELYING_PARTY = passkey_settings.relying_party()
# How long a key signs before the next takes its place (docs/operations.md, "Keys").
SIGNING_KEY_DAYS = env.integer("SIGNING_KEY_DAYS", 30, minimum=1, maximum=365)
SIGNING_KEY_MARGIN_SECONDS = env.integer("SIGNING_KEY_MARGIN_SECONDS", 60, minimum=12, maximum=3600)
AUTH_USER_MODEL = "users.Account"
PASSWORD_HASHERS = ["users.hashers.SoukArgon2Hasher"]
# In this order; an answer names the first that objects.
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "users.password_validation.LengthValidator"},
    {"NAME": "users.password_validation.BlankValidator"},
    {"NAME": "users.password_validation.OwnEmailValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# EMAIL_BACKEND, EMAIL_HOST and so on.
globals().update(env.email("EMAIL_URL"))
# Of orders; orders tells of them by events.
ORDER_MAILS = env.boolean("ORDER_MAILS", True)
DEFAULT_FROM_EMAIL = env.email_address("MAIL_FROM", "souk@localhost")
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]

REST_FRAMEWORK = kit.REST_FRAMEWORK
SIMPLE_JWT = kit.SIMPLE_JWT
SPECTACULAR_SETTINGS = kit.spectacular("Souk users", "Accounts, tokens and signing keys.", SCOPES)
SPECTACULAR_SETTINGS["APPEND_COMPONENTS"]["securitySchemes"]["clientSecret"] = {
    "type": "http",
    "scheme": "basic",
    "description": "The id and the secret of a machine client.",
}
SILENCED_SYSTEM_CHECKS = kit.SILENCED_SYSTEM_CHECKS

LOGGING = logs.logging("users")
# Of mails; everything else speaks English.
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
USE_TZ = True
TIME_ZONE = "UTC"
