"""Mails are sent at most once for each cause, by a real server; none is lost while it is away."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from servicekit import tasks
from servicekit.mails import sending, writing
from servicekit.models import Mail
from servicekit.testing.mailbox import (
    Mailbox,
    free_port,
    html_of,
    serving,
    text_of,
    use_server,
)
from servicekit.testing.races import at_once

pytestmark = pytest.mark.django_db(transaction=True)

ADA = "ada@example.org"
ACCOUNT = UUID(int=7)
SECRET = "the-token-of-the-mail"


@pytest.fixture
def port(settings: Any) -> Iterator[int]:
    """Where the mail server is expected; nothing listens yet."""
    found = free_port()
    use_server(settings, found)
    sending.pause.end()
    yield found
    sending.pause.end()


@pytest.fixture
def mailbox(port: int) -> Iterator[Mailbox]:
    with serving(Mailbox(), port) as box:
        yield box


def write(cause: str = "order:1", **fields: Any) -> None:
    values: dict[str, Any] = {
        "kind": "project/receipt",
        "recipient": ADA,
        "language": "en",
        "context": {"name": "Ada", "secret": SECRET},
        "useful_for": timedelta(hours=1),
    }
    with transaction.atomic():
        writing.write(cause=cause, **values | fields)


def row_text() -> str:
    """Everything that the table holds, as text."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(string_agg(mail::text, E'\\n'), '') FROM mail")
        return str(cursor.fetchone()[0])


def make_due() -> None:
    Mail.objects.update(due_at=F("due_at") - timedelta(hours=2))


def test_mail_is_sent_once(mailbox: Mailbox) -> None:
    write()

    assert [tasks.send_mails() for _ in range(3)] == [1, 0, 0]

    (message,) = mailbox.messages
    assert (message["To"], message["Subject"]) == (ADA, "Order for Ada")
    assert text_of(message) == f"Hello Ada: {SECRET}\n"
    assert f"<p>Hello Ada: {SECRET}" in html_of(message)
    assert message["Auto-Submitted"] == "auto-generated"


def test_cause_has_one_mail_however_often_it_is_written(mailbox: Mailbox) -> None:
    write()
    write()
    tasks.send_mails()
    write()

    assert tasks.send_mails() == 0
    assert len(mailbox.messages) == Mail.objects.count() == 1


def test_cause_written_at_once_has_one_mail(mailbox: Mailbox) -> None:
    at_once(*[write] * 4)

    assert tasks.send_mails() == 1


def test_mail_of_a_change_that_was_rolled_back_is_never_sent(mailbox: Mailbox) -> None:
    def fail() -> None:
        with transaction.atomic():
            write()
            raise RuntimeError("the change failed")

    with pytest.raises(RuntimeError):
        fail()

    assert tasks.send_mails() == 0
    assert (mailbox.messages, row_text()) == ([], "")


def test_mail_outside_a_transaction_is_refused() -> None:
    with pytest.raises(writing.OutsideTransaction):
        writing.write(
            cause="c",
            kind="k",
            recipient=ADA,
            language="en",
            context={},
            useful_for=timedelta(1),
        )

    assert not Mail.objects.exists()


@pytest.mark.parametrize("recipient", ["", "ada", "ada@example.org\r\nBcc: eve@example.org"])
def test_recipient_that_is_no_address_is_refused(recipient: str) -> None:
    with pytest.raises(ValidationError):
        write(recipient=recipient)

    assert not Mail.objects.exists()


def test_sent_mail_keeps_neither_secret_nor_address(mailbox: Mailbox) -> None:
    write()
    assert SECRET in row_text()
    assert ADA in row_text()

    tasks.send_mails()

    assert SECRET not in row_text()
    assert ADA not in row_text()
    assert Mail.objects.get().sent_at is not None


def test_two_workers_never_send_the_same_mail(mailbox: Mailbox) -> None:
    for number in range(20):
        write(f"order:{number}", context={"name": f"n{number}", "secret": ""})

    assert sum(at_once(*[tasks.send_mails] * 4)) == 20

    subjects = sorted(str(message["Subject"]) for message in mailbox.messages)
    assert subjects == sorted(f"Order for n{number}" for number in range(20))


def test_server_that_is_away_loses_nothing(port: int, caplog: pytest.LogCaptureFixture) -> None:
    write()

    assert tasks.send_mails() == 0
    assert "mail server is away" in caplog.text
    assert Mail.objects.get().claimed_at is None

    sending.pause.end()
    with serving(Mailbox(), port) as box:
        assert [tasks.send_mails() for _ in range(2)] == [1, 0]
    assert len(box.messages) == 1


def test_server_that_is_away_is_asked_ever_more_seldom(port: int) -> None:
    write()
    pauses = []
    for _ in range(6):
        tasks.send_mails()
        pauses.append(sending.pause.seconds)
        assert sending.pause.lasts()
        sending.pause._until = 0.0

    assert pauses == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]


def test_pause_keeps_the_server_from_being_asked(port: int) -> None:
    write()
    tasks.send_mails()

    with serving(Mailbox(), port) as box:
        assert tasks.send_mails() == 0

    assert box.messages == []


@pytest.mark.parametrize("refusal", ["452 Try later", "554 No mail today"])
def test_refused_mail_is_given_back_and_waits(mailbox: Mailbox, refusal: str) -> None:
    write()
    mailbox.refusal = refusal

    assert tasks.send_mails() == 0
    mailbox.refusal = ""
    assert tasks.send_mails() == 0

    assert Mail.objects.get().claimed_at is None
    make_due()
    assert tasks.send_mails() == 1
    assert text_of(mailbox.messages[0]) == f"Hello Ada: {SECRET}\n"


def test_refused_mail_waits_ever_longer(mailbox: Mailbox) -> None:
    write()
    mailbox.refusal = "452 Try later"
    waits = []
    for _ in range(9):
        tasks.send_mails()
        left = Mail.objects.get().due_at - timezone.now()
        waits.append(round(left.total_seconds() / 30))
        Mail.objects.update(due_at=timezone.now())

    assert waits == [1, 2, 4, 8, 16, 32, 64, 120, 120]


def test_refused_mail_keeps_no_other_from_being_sent(mailbox: Mailbox) -> None:
    write("order:1")
    mailbox.refusal = "554 No mail today"
    tasks.send_mails()
    mailbox.refusal = ""
    write("order:2")

    assert tasks.send_mails() == 1


def test_unknown_recipient_is_given_up(mailbox: Mailbox, caplog: pytest.LogCaptureFixture) -> None:
    write()
    mailbox.unknown = {ADA}

    tasks.send_mails()
    make_due()

    assert tasks.send_mails() == 0
    assert (ADA in row_text(), SECRET in row_text()) == (False, False)
    assert ADA not in caplog.text
    assert "mail is refused" in caplog.text


def test_mail_whose_answer_is_lost_is_not_sent_again(
    mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    write()
    mailbox.hangs_up = True

    assert tasks.send_mails() == 0
    mailbox.hangs_up = False
    make_due()
    assert tasks.send_mails() == 0

    assert len(mailbox.messages) == 1
    assert [each.levelname for each in caplog.records if "may be lost" in each.message] == ["ERROR"]
    assert ADA not in caplog.text


def test_worker_that_dies_after_the_claim_sends_no_second_mail(mailbox: Mailbox) -> None:
    write()
    assert sending._claim() is not None

    make_due()

    assert tasks.send_mails() == 0
    assert SECRET not in row_text()


def test_mail_that_cannot_be_written_waits_for_its_mending(
    mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    write(kind="project/broken")

    assert tasks.send_mails() == 0

    assert [each.levelname for each in caplog.records] == ["ERROR"]
    Mail.objects.update(kind="project/receipt")
    make_due()
    assert tasks.send_mails() == 1


def test_mail_that_came_too_late_is_not_sent(mailbox: Mailbox) -> None:
    write()
    Mail.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert tasks.send_mails() == 0


def test_withdrawn_mail_is_not_sent(mailbox: Mailbox) -> None:
    write("order:1")
    write("order:2", recipient="bob@example.org")

    write(f"moved:{ACCOUNT}:3", recipient="ada.before@example.org")

    writing.withdraw(recipient=ADA, about=ACCOUNT)

    assert tasks.send_mails() == 1
    assert [len(mailbox.to(each)) for each in (ADA, "ada.before@example.org")] == [0, 0]


def test_mail_that_is_withdrawn_while_it_is_sent_is_not_given_back(mailbox: Mailbox) -> None:
    """As when the server refuses it for now, a moment after the account was deleted."""
    write(f"moved:{ACCOUNT}:1")
    write(f"moved:{ACCOUNT}:2")
    assert tasks.send_mails() == 2
    sent, refused = Mail.objects.order_by("id")
    Mail.objects.filter(pk=refused.pk).update(sent_at=None)

    writing.withdraw(recipient=ADA, about=ACCOUNT)

    assert list(Mail.objects.values_list("pk", flat=True)) == [sent.pk]


@pytest.mark.parametrize("row", ["U5", "U17"])
def test_text_of_people_stays_text(mailbox: Mailbox, row: str) -> None:
    """Line breaks add no header and no line; markup and template syntax are shown as they are."""
    name = {
        "U5": "Ada\r\nBcc: eve@example.org\n\nBody\u2028of\x0beve\x85's",
        "U17": "{{ 7 * 7 }} {% now 'Y' %} <b>admin</b> %(name)s %s",
    }[row]
    write(context={"name": name, "secret": ""})

    assert tasks.send_mails() == 1

    (message,) = mailbox.messages
    line = " ".join(name.split())
    assert message["Bcc"] is None
    assert message["To"] == ADA
    assert f"Hello {line}:" in text_of(message)
    assert "<b>" not in html_of(message)


def test_language_without_translation_is_answered_in_english(mailbox: Mailbox) -> None:
    write(language="xx-unknown")

    assert tasks.send_mails() == 1
    assert '<html lang="en">' in html_of(mailbox.messages[0])


def test_mail_can_be_a_file(settings: Any, tmp_path: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path)
    write()

    with caplog.at_level(logging.WARNING):
        assert tasks.send_mails() == 1

    (file,) = tmp_path.iterdir()
    assert "Subject: Order for Ada" in file.read_text()
    assert caplog.records == []
