"""An address has a single spelling, which is stored, looked up and written to."""

from typing import Any

import pytest
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from servicekit.testing.client import Caller, decoded
from servicekit.testing.mailbox import Mailbox
from tests import mails
from tests.factories import PASSWORD, make_account
from tests.people import TOKEN
from users.errors import EmailTaken
from users.models import EMAIL, Account, InvalidEmail, MailRequest
from users.services import accounts, email_change, password_reset

mailbox = mails.mailbox
normalise = Account.objects.normalize_email
BUECHER = "ada@xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("typed", "spelling"),
    [("ada@bücher.example", BUECHER),
     ("ADA@BÜCHER.Example", BUECHER),
     ("ada@bu\u0308cher.example", BUECHER),
     (" ada@B\u0055\u0308CHER.example\n", BUECHER),
     ("ada@XN--BCHER-KVA.example", BUECHER),
     ("ada@straße.example", "ada@xn--strae-oqa.example"),
     ("ada@пример.рф", "ada@xn--e1afmkfd.xn--p1ai"),
     ("ada@例え.テスト", "ada@xn--r8jz45g.xn--zckzah"),
     ("ada@דוגמה.example", "ada@xn--6dbbec0c.example"),
     # Look-alikes are other domains, which other people may have.
     ("ada@b\u0430nk.example", "ada@xn--bnk-6cd.example"),
     ("ada@r3---sn.example", "ada@r3---sn.example")],
)  # fmt: skip
def test_domain_is_spelled_as_dns_has_it(typed: str, spelling: str) -> None:
    assert normalise(typed) == spelling == normalise(spelling)


@pytest.mark.parametrize(
    "typed",
    ["ada@\u212aelvin.example", "ada@\uff45xample.org", "ada@example\u3002org",
     "ada@example\uff0eorg", "ada@ex\u00adample.org", "ada@ex\u200bample.org",
     "ada@ex\u200dample.org", "ada@ex\u202eample.org", "ada@\ufe0fexample.org",
     "ada@\u0301example.org", "ada@bücher..example", "ada@.bücher.example", "ada@-bücher.example",
     "ada@bü_cher.example", "ada@bücher", "ada@אa.example", "ada@xn--bcher.example",
     "ada@xn--.example", "ada@xn--a.example", "ada@XN--\u00fc.example", "ada@bü\0cher.example",
     "ada@bücher.example\0", "ada@b\ud800cher.example", "ada@" + "ü" * 64 + ".example",
     "ada@☕.example", "\u212aarl@bücher.example", "a\u0308da@bücher.example",
     "ada@x@bücher.example", "ada@example.a1", "ada@example.1"],
)  # fmt: skip
def test_domain_that_cannot_be_registered_is_refused(typed: str) -> None:
    with pytest.raises(InvalidEmail):
        normalise(typed)


@given(st.from_regex(EMAIL, fullmatch=True), st.randoms(use_true_random=False))
def test_address_has_one_spelling_whatever_its_case(address: str, random: Any) -> None:
    other = "".join(random.choice((letter.upper(), letter)) for letter in address)

    try:
        spelling = normalise(address)
    except InvalidEmail:
        with pytest.raises(InvalidEmail):
            normalise(other)
        return

    assert normalise(other) == spelling == normalise(spelling)
    assert spelling.isascii()
    assert len(spelling) <= 254
    validate_email(spelling)  # or its mails could not be written


@given(st.text(max_size=40))
def test_whatever_is_typed_is_spelled_in_ascii_or_refused(domain: str) -> None:
    try:
        spelling = normalise(f"ada@{domain}.example")
    except InvalidEmail:
        return

    assert EMAIL.fullmatch(spelling)
    validate_email(spelling)
    assert normalise(spelling) == spelling


@pytest.mark.django_db
def test_every_spelling_is_one_account(ring: None) -> None:
    account = make_account(email="Ada@Bücher.example")
    asker = make_account()

    with pytest.raises(EmailTaken):
        accounts.register(email="ada@BU\u0308CHER.example", password=PASSWORD)
    answer = Caller().post(TOKEN, {"email": "ada@BÜCHER.example", "password": PASSWORD})
    password_reset.ask(email="ADA@bücher.example", source="192.0.2.1")
    email_change.ask(
        account_id=asker.pk, password=PASSWORD, email="aDa@bücher.example", session_id=None
    )

    assert account.email == BUECHER
    assert decoded(answer)["access_token"]
    assert set(MailRequest.objects.values_list("email", flat=True)) == {BUECHER}
    assert Account.objects.get_by_natural_key("ADA@Bücher.EXAMPLE") == account


@pytest.mark.django_db(transaction=True)
def test_mail_goes_to_the_stored_spelling(mailbox: Mailbox) -> None:
    make_account(email="Ada@bücher.example")

    mails.ask_for_reset("ADA@BÜCHER.example")

    assert mails.subjects_to(mailbox, BUECHER)[-1] == "Set a new password"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "spelling", ["Ada@example.org", "ada@bücher.example", "ada@\u212a.org", ""]
)
def test_database_takes_no_other_spelling(spelling: str) -> None:
    account = make_account()

    with pytest.raises(IntegrityError, match="account_email_spelled"), transaction.atomic():
        Account.objects.filter(pk=account.pk).update(email=spelling)
