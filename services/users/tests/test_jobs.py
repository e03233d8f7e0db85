"""Background jobs of users (servicekit's tests have what all services' jobs do)."""

from users.celery import app


def test_every_scheduled_task_is_there() -> None:
    app.loader.import_default_modules()

    tasks_of_the_schedule = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert tasks_of_the_schedule == {
        "servicekit.purge",
        "servicekit.send_mails",
        "users.answer_mail_requests",
        "users.rotate_signing_key_when_due",
    }
    assert tasks_of_the_schedule <= set(app.tasks)
