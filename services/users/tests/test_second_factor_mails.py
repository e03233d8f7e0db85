"""The owner is written to whenever a second factor comes or goes."""

from typing import Any

import pytest

from servicekit.models import Mail
from servicekit.testing.mailbox import Mailbox, text_of
from tests import mails
from tests.authenticators import Authenticator, with_passkey
from tests.factories import PASSWORD, make_account
from tests.mails import do_jobs
from tests.second_factors import with_second_factor
from users.errors import WrongCode
from users.models import Account
from users.services.factors import passkeys, second_factor

mailbox = mails.mailbox
pytestmark = pytest.mark.django_db(transaction=True)
ADDRESS = "ada@example.org"


def verified(**more: Any) -> Account:
    """An account whose first mail was sent."""
    account = make_account(email=ADDRESS, **more)
    do_jobs()
    return account


def subjects(mailbox: Mailbox) -> list[str]:
    """The subjects of the mails after the first."""
    return mails.subjects_to(mailbox, ADDRESS)[1:]


def test_app_on_codes_renewed_and_off_are_a_mail_each(ring: None, mailbox: Mailbox) -> None:
    app = with_second_factor(verified())
    proof = {"account_id": app.account.pk, "current_password": PASSWORD}
    with pytest.raises(WrongCode):
        second_factor.disable(**proof, proof={"code": app.wrong_code()})

    codes = second_factor.renew_recovery_codes(**proof, proof={"code": app.fresh_code()})
    second_factor.disable(**proof, proof={"code": codes[0].replace("-", "")})

    assert subjects(mailbox) == [
        "Your second factor is on",
        "You have new recovery codes",
        "Your second factor is off",
    ]
    assert "change your password now" in text_of(mailbox.to(ADDRESS)[-1])
    assert app.recovery_codes[0] not in "".join(str(each) for each in mailbox.to(ADDRESS))


def test_passkeys_that_come_and_go_are_a_mail_each(ring: None, mailbox: Mailbox) -> None:
    owner = with_passkey(verified(language="de"))
    with_passkey(owner.account, Authenticator(), code=owner.recovery_code())
    for number, row in enumerate(owner.account.passkeys.order_by("id"), start=1):
        passkeys.remove(
            account_id=owner.account.pk,
            passkey_id=row.pk,
            current_password=PASSWORD,
            proof={"code": owner.recovery_code(number)},
            session_id=None,
        )

    assert subjects(mailbox) == [
        "Ihr zweiter Faktor ist eingeschaltet",
        "Ein weiterer Passkey wurde hinzugefügt",
        "Ein Passkey wurde entfernt",
        "Ihr zweiter Faktor ist ausgeschaltet",
    ]


def test_owner_hears_of_what_operators_do_once(ring: None, mailbox: Mailbox) -> None:
    app = with_second_factor(verified())

    second_factor.remove(account=app.account)
    second_factor.remove(account=app.account)

    assert subjects(mailbox) == ["Your second factor is on", "Your second factor is off"]
    assert not Mail.objects.filter(claimed_at=None).exists()
