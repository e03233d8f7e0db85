"""Background jobs of products (servicekit's tests have what all services' jobs do)."""

from products.celery import app


def test_every_scheduled_task_is_there() -> None:
    app.loader.import_default_modules()

    tasks_of_the_schedule = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert tasks_of_the_schedule == {
        "products.check_stock",
        "products.count_popularity",
        "products.delete_orphaned_images",
        "products.mail_alerts",
        "products.make_missing_thumbnails",
        "products.relate_products",
        "products.run_bulk_operations",
        "products.settle_reservations",
        "servicekit.purge",
        "servicekit.send_mails",
    }
    assert tasks_of_the_schedule <= set(app.tasks)
