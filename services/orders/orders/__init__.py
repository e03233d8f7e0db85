"""Souk's orders. Importing the package makes the Celery app known, so that `celery -A orders` and tasks find it."""

from orders.celery import app as celery_app

__all__ = ["celery_app"]
