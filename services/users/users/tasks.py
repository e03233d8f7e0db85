"""Background jobs. Each translates and calls one service."""

from celery import shared_task

from users.services import key_schedule, mail_requests

#: A worker does one job at a time.
ANSWER_SECONDS = 3.0


@shared_task(name="users.answer_mail_requests")  # type: ignore[untyped-decorator]
def answer_mail_requests() -> int:
    """Answer who asked for a mail to an address; return how many requests."""
    return mail_requests.answer_requests(seconds=ANSWER_SECONDS)


@shared_task(name="users.rotate_signing_key_when_due")  # type: ignore[untyped-decorator]
def rotate_signing_key_when_due() -> bool:
    """Rotate the signing key if it is old enough; return whether it was."""
    return key_schedule.rotate_when_due() is not None
