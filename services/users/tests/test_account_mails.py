"""Each mail about an account says what it should, in the account's language."""

import gettext
import re
from pathlib import Path
from typing import Any

import pytest

from servicekit.mails.rendering import render
from servicekit.testing.mailbox import Mailbox, html_of, text_of
from tests import mails
from tests.factories import PASSWORD
from users.models import Account
from users.services import account_mails, accounts

mailbox = mails.mailbox
HERE = Path(account_mails.__file__).parents[1]
TEMPLATES = HERE / "templates" / "users" / "mails"
CATALOGUE = HERE / "locale" / "de" / "LC_MESSAGES" / "django.po"
KINDS = sorted(path.name.removesuffix("_subject.txt") for path in TEMPLATES.glob("*_subject.txt"))
CONTEXT = {"name": "Ada", "token": "x" * 43, "hours": 1, "new_email": "ada@example.com"}
ENTRY = re.compile(r'^msgid "(.+)"\nmsgstr "(.*)"$', re.MULTILINE)
WORDS = re.compile(r'{% translate "(.+?)" %}|{% blocktranslate %}(.+?){% endblocktranslate %}')


def rendered(kind: str, language: str, **context: Any) -> tuple[str, str]:
    message = render(
        kind=f"users/mails/{kind}",
        language=language,
        recipient="ada@example.org",
        context=CONTEXT | context,
    )
    return str(message.subject), str(message.body)


@pytest.mark.parametrize("kind", KINDS)
def test_mail_is_there_in_both_languages(kind: str) -> None:
    english, german = rendered(kind, "en"), rendered(kind, "de")

    assert english[0] != german[0]
    assert english[1].startswith("Hello Ada,\n\n")
    assert german[1].startswith("Hallo Ada,\n\n")
    assert english[1].endswith("\n\nSouk\n")
    assert {"{", "%"} & {*"".join(english + german)} == set()


def test_every_text_of_a_template_is_translated_and_compiled() -> None:
    texts = {
        re.sub(r"{{ (\w+) }}", r"%(\1)s", plain or block)
        for path in TEMPLATES.iterdir()
        for plain, block in WORDS.findall(path.read_text())
    }
    catalogue = dict(ENTRY.findall(CATALOGUE.read_text()))
    with CATALOGUE.with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)

    assert texts == catalogue.keys()
    assert "" not in catalogue.values()
    # `make translations` compiles.
    assert {text: compiled.gettext(text) for text in texts} == catalogue


def test_mail_without_a_name_greets_nobody_by_it() -> None:
    assert rendered("password_reset", "en", name="")[1].startswith("Hello,\n\n")


@pytest.mark.django_db(transaction=True)
def test_account_is_written_to_in_its_language(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Account, "language", "de", raising=False)
    accounts.register(email="ada@example.org", password=PASSWORD)

    (message,) = mails.mails_to(mailbox, "ada@example.org")

    assert message["Subject"] == "Bestätigen Sie Ihre Adresse"
    assert '<html lang="de">' in html_of(message)


@pytest.mark.django_db(transaction=True)
def test_name_is_shown_as_text_U17(mailbox: Mailbox) -> None:
    name = "admin {{7*7}} <script>alert(1)</script> %(x)s"
    accounts.register(email="ada@example.org", password=PASSWORD, name=name)

    (message,) = mails.mails_to(mailbox, "ada@example.org")

    assert f"Hello {name}," in text_of(message)
    assert "<script>" not in html_of(message)
    assert name not in message["Subject"]
