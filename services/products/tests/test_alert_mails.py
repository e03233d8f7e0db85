"""Staff are mailed once for each time that a stock falls low, by a real mail server."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from uuid_utils.compat import uuid7

from products import tasks
from products.handlers import router
from products.models import Product, StockAlert
from products.services import alert_mails
from products.services.products import delete_product
from products.services.stock import adjust_stock
from servicekit.testing.deliver import deliver, outbox_events
from servicekit.testing.mailbox import Mailbox, free_port, serving, text_of, use_server
from servicekit.testing.races import at_once
from tests.factories import make_product, placed

STAFF = uuid7()
LOW = "products.stock_low.v1"


@pytest.fixture
def port(settings: Any) -> int:
    """Where the settings say that the mail server listens; nothing does yet."""
    use_server(settings, free_port())
    settings.STOCK_ALERT_RECIPIENTS = ["ada@example.org", "bob@example.org"]
    return int(settings.EMAIL_PORT)


@pytest.fixture
def mailbox(port: int) -> Iterator[Mailbox]:
    with serving(Mailbox(), port) as box:
        yield box


def make_low(**fields: Any) -> Product:
    return make_product(**{"stock": 3, "low_stock_threshold": 5, **fields})


def unmailed() -> int:
    return StockAlert.objects.filter(mailed_at=None).count()


@pytest.mark.django_db(transaction=True)
def test_low_stock_is_mailed_once(mailbox: Mailbox) -> None:
    make_low(name="White <lantern> & co", sku="85123A", stock=5)

    assert [tasks.mail_alerts() for _ in range(3)] == [1, 0, 0]

    (message,) = mailbox.messages
    assert message["Subject"] == "Low stock: White <lantern> & co, 5 left"
    assert message["To"] == "ada@example.org, bob@example.org"
    text = text_of(message)
    assert "White <lantern> & co (SKU 85123A)\n  5 left, threshold 5\n" in text


@pytest.mark.django_db(transaction=True)
def test_a_hundred_purchases_at_once_are_one_event_and_one_mail(mailbox: Mailbox) -> None:
    product = make_product(stock=120, low_stock_threshold=50)

    def buy() -> None:
        for _ in range(25):
            deliver(router, "products.orders", [placed({product.pk: 1})])
            tasks.mail_alerts()

    assert at_once(*[buy] * 4) == [None] * 4

    assert len(outbox_events(LOW)) == len(mailbox.messages) == 1
    assert unmailed() == 0


@pytest.mark.django_db(transaction=True)
def test_each_crossing_is_mailed(mailbox: Mailbox) -> None:
    product = make_low()
    tasks.mail_alerts()

    adjust_stock(product_id=product.pk, delta=9, reason="delivery", by=STAFF)
    assert tasks.mail_alerts() == 0
    adjust_stock(product_id=product.pk, delta=-9, reason="damaged", by=STAFF)

    assert tasks.mail_alerts() == 1
    assert len(mailbox.messages) == 2


@pytest.mark.django_db(transaction=True)
def test_many_alerts_are_one_mail(mailbox: Mailbox, settings: Any) -> None:
    with transaction.atomic():
        for number in range(alert_mails.NAMED + 7):
            make_low(name=f"Lamp {number:03}")
    again = Product.objects.order_by("name")[0]
    adjust_stock(product_id=again.pk, delta=9, reason="delivery", by=STAFF)
    gone = Product.objects.order_by("name")[1]
    delete_product(product_id=gone.pk)

    assert tasks.mail_alerts() == alert_mails.NAMED + 7

    (message,) = mailbox.messages
    assert message["Subject"] == "Low stock: 57 products"
    text = text_of(message)
    assert text.count("left, threshold") == alert_mails.NAMED
    assert text.count("no longer low") == 2
    assert "And 7 more." in text


@pytest.mark.django_db(transaction=True)
def test_two_workers_never_mail_the_same_alert(mailbox: Mailbox) -> None:
    products = [make_low(name=f"Lamp {number}") for number in range(20)]

    mailed = at_once(*[tasks.mail_alerts] * 4)

    assert sum(mailed) == 20
    text = "".join(text_of(message) for message in mailbox.messages)
    assert [text.count(f"{product.name}\n") for product in products] == [1] * 20


@pytest.mark.django_db(transaction=True)
def test_server_that_is_away_loses_nothing(port: int, caplog: pytest.LogCaptureFixture) -> None:
    make_low()

    assert [tasks.mail_alerts() for _ in range(2)] == [0, 0]
    assert unmailed() == 1
    assert "mail server is away" in caplog.text

    with serving(Mailbox(), port) as box:
        assert [tasks.mail_alerts() for _ in range(2)] == [1, 0]
    assert len(box.messages) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("refusal", ["452 Try later", "554 No mail today"])
def test_mail_that_the_server_refuses_is_given_back(mailbox: Mailbox, refusal: str) -> None:
    make_low()
    mailbox.refusal = refusal

    assert tasks.mail_alerts() == 0
    assert unmailed() == 1

    mailbox.refusal = ""
    assert tasks.mail_alerts() == 1
    assert len(mailbox.messages) == 1


@pytest.mark.django_db(transaction=True)
def test_mail_whose_answer_is_lost_is_not_sent_again(
    mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    make_low()
    mailbox.hangs_up = True

    assert tasks.mail_alerts() == 0
    mailbox.hangs_up = False
    assert tasks.mail_alerts() == 0

    assert len(mailbox.messages) == 1
    assert [each.levelname for each in caplog.records if "may be lost" in each.message] == ["ERROR"]


@pytest.mark.django_db(transaction=True)
def test_name_with_line_breaks_adds_no_header_and_no_line(mailbox: Mailbox) -> None:
    product = make_low(sku="A1")
    names = "Lamp\r\nBcc: eve@example.org\n\nBody\u2028of\x0beve\x85's"
    Product.objects.filter(pk=product.pk).update(name=names, sku="A\r\n1")

    assert tasks.mail_alerts() == 1

    (message,) = mailbox.messages
    assert message["Bcc"] is None
    assert message["Subject"] == "Low stock: Lamp Bcc: eve@example.org Body of eve 's, 3 left"
    assert "Lamp Bcc: eve@example.org Body of eve 's (SKU A 1)\n" in text_of(message)


@pytest.mark.django_db(transaction=True)
def test_without_recipients_no_mail_is_sent(mailbox: Mailbox, settings: Any) -> None:
    settings.STOCK_ALERT_RECIPIENTS = []
    make_low()

    assert tasks.mail_alerts() == 0

    assert (mailbox.messages, unmailed()) == ([], 1)


@pytest.mark.django_db(transaction=True)
def test_alert_of_a_week_ago_is_no_news(mailbox: Mailbox) -> None:
    make_low()
    StockAlert.objects.update(opened_at=timezone.now() - timedelta(days=8))

    assert tasks.mail_alerts() == 0

    assert mailbox.messages == []


@pytest.mark.django_db(transaction=True)
def test_mail_can_be_a_file(
    settings: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path)
    settings.STOCK_ALERT_RECIPIENTS = ["ada@example.org"]
    make_low(name="Lamp")

    with caplog.at_level(logging.WARNING):
        assert tasks.mail_alerts() == 1

    (file,) = tmp_path.iterdir()
    assert "Subject: Low stock: Lamp, 3 left" in file.read_text()
    assert caplog.records == []
