"""Staff are mailed once for each time that a stock falls low, by a real mail server."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from uuid_utils.compat import uuid7

from products import tasks
from products.handlers import router
from products.models import Product, StockAlert
from products.services import alert_mails
from products.services.products import delete_product
from products.services.stock import adjust_stock
from servicekit.mails import sending
from servicekit.models import Mail
from servicekit.tasks import send_mails
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
    settings.STOCK_ALERT_RECIPIENTS = ["ada@example.org"]
    return int(settings.EMAIL_PORT)


@pytest.fixture
def mailbox(port: int) -> Iterator[Mailbox]:
    with serving(Mailbox(), port) as box:
        yield box


def make_low(**fields: Any) -> Product:
    return make_product(**{"stock": 3, "low_stock_threshold": 5, **fields})


def unmailed() -> int:
    return StockAlert.objects.filter(mailed_at=None).count()


def mail_alerts() -> int:
    """Write the mails and send them; return of how many alerts they tell."""
    told: int = tasks.mail_alerts()
    send_mails()
    return told


@pytest.mark.django_db(transaction=True)
def test_low_stock_is_mailed_once_to_each_recipient(mailbox: Mailbox, settings: Any) -> None:
    settings.STOCK_ALERT_RECIPIENTS = ["ada@example.org", "bob@example.org"]
    make_low(name="White <lantern> & co", sku="85123A", stock=5)

    assert [mail_alerts() for _ in range(3)] == [1, 0, 0]

    assert [each["To"] for each in mailbox.messages] == ["ada@example.org", "bob@example.org"]
    for message in mailbox.messages:
        assert message["Subject"] == "Low stock: White <lantern> & co, 5 left"
        text = text_of(message)
        assert "White <lantern> & co (SKU 85123A)\n  5 left, threshold 5\n" in text


@pytest.mark.django_db(transaction=True)
def test_a_hundred_purchases_at_once_are_one_event_and_one_mail(mailbox: Mailbox) -> None:
    product = make_product(stock=120, low_stock_threshold=50)

    def buy() -> None:
        for _ in range(25):
            deliver(router, "products.orders", [placed({product.pk: 1})])
            mail_alerts()

    assert at_once(*[buy] * 4) == [None] * 4

    assert len(outbox_events(LOW)) == len(mailbox.messages) == 1
    assert unmailed() == 0


@pytest.mark.django_db(transaction=True)
def test_each_crossing_is_mailed(mailbox: Mailbox) -> None:
    product = make_low()
    mail_alerts()

    adjust_stock(product_id=product.pk, delta=9, reason="delivery", by=STAFF)
    assert mail_alerts() == 0
    adjust_stock(product_id=product.pk, delta=-9, reason="damaged", by=STAFF)

    assert mail_alerts() == 1
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

    assert mail_alerts() == alert_mails.NAMED + 7

    (message,) = mailbox.messages
    assert message["Subject"] == "Low stock: 57 products"
    text = text_of(message)
    assert text.count("left, threshold") == alert_mails.NAMED
    assert text.count("no longer low") == 2
    assert "And 7 more." in text


@pytest.mark.django_db(transaction=True)
def test_two_workers_never_mail_the_same_alert(mailbox: Mailbox) -> None:
    products = [make_low(name=f"Lamp {number}") for number in range(20)]

    mailed = at_once(*[mail_alerts] * 4)

    assert sum(mailed) == 20
    text = "".join(text_of(message) for message in mailbox.messages)
    assert [text.count(f"{product.name}\n") for product in products] == [1] * 20


@pytest.mark.django_db(transaction=True)
def test_server_that_is_away_loses_nothing(port: int) -> None:
    make_low()
    assert mail_alerts() == 1
    sending.pause.end()

    with serving(Mailbox(), port) as box:
        assert [send_mails() for _ in range(2)] == [1, 0]

    assert len(box.messages) == 1


@pytest.mark.django_db(transaction=True)
def test_alert_whose_mail_cannot_be_written_waits(mailbox: Mailbox, settings: Any) -> None:
    settings.STOCK_ALERT_RECIPIENTS = ["ada@example.org", "no address"]
    make_low()

    with pytest.raises(ValidationError):
        tasks.mail_alerts()

    assert (unmailed(), Mail.objects.count()) == (1, 0)


@pytest.mark.django_db(transaction=True)
def test_name_with_line_breaks_adds_no_header_and_no_line(mailbox: Mailbox) -> None:
    product = make_low(sku="A1")
    names = "Lamp\r\nBcc: eve@example.org\n\nBody\u2028of\x0beve\x85's"
    Product.objects.filter(pk=product.pk).update(name=names, sku="A\r\n1")

    assert mail_alerts() == 1

    (message,) = mailbox.messages
    assert message["Bcc"] is None
    assert message["Subject"] == "Low stock: Lamp Bcc: eve@example.org Body of eve 's, 3 left"
    assert "Lamp Bcc: eve@example.org Body of eve 's (SKU A 1)\n" in text_of(message)


@pytest.mark.django_db(transaction=True)
def test_without_recipients_no_mail_is_sent(mailbox: Mailbox, settings: Any) -> None:
    settings.STOCK_ALERT_RECIPIENTS = []
    make_low()

    assert mail_alerts() == 0

    assert (mailbox.messages, unmailed()) == ([], 1)


@pytest.mark.django_db(transaction=True)
def test_alert_of_a_week_ago_is_no_news(mailbox: Mailbox) -> None:
    make_low()
    StockAlert.objects.update(opened_at=timezone.now() - timedelta(days=8))

    assert mail_alerts() == 0

    assert mailbox.messages == []
