from django.apps import AppConfig


class ServicekitConfig(AppConfig):
    name = "servicekit"
    default_auto_field = "django.db.models.BigAutoField"
