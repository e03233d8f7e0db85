"""Passkeys are made, proved, removed; what each does to sessions, codes and the other factor."""

import time
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from servicekit.auth import tokens as access_tokens
from servicekit.http.problems import NotFound
from servicekit.operations import purge
from servicekit.testing.deliver import outbox_events
from servicekit.testing.races import at_once
from tests.authenticators import Authenticator, Owner, with_passkey
from tests.factories import PASSWORD, make_account
from tests.second_factors import code_of, with_second_factor
from users.errors import NoSetUp, SecondFactorRequired, WrongPassword
from users.models import Account, Passkey, RecoveryCode, SecurityEvent, Session, TotpDevice
from users.passkey_errors import (
    PasskeyKnown,
    SecondFactorProofMissing,
    TooManyPasskeys,
    UnusablePasskey,
    WrongPasskey,
)
from users.selectors import second_factor_of
from users.services import accounts, sessions
from users.services.factors import passkey_proofs, passkeys, second_factor

pytestmark = pytest.mark.django_db


def options_for(account: Account, **proof: Any) -> Any:
    return passkeys.begin(account_id=account.pk, current_password=PASSWORD, proof=proof)


def register(account: Account, credential: Any, session_id: UUID | None = None) -> passkeys.Added:
    return passkeys.register(
        account_id=account.pk, name="Key", credential=credential, session_id=session_id
    )


def proof_options(owner: Owner) -> Any:
    return passkey_proofs.proof_options(account=owner.account)


def proof_of(owner: Owner, **wrong: Any) -> Any:
    """A fresh answer of the owner's key."""
    return {"passkey": owner.key.get(proof_options(owner), **wrong)}


def remove(
    owner: Owner, proof: Any, session_id: UUID | None = None, password: str = PASSWORD
) -> None:
    passkeys.remove(
        account_id=owner.account.pk,
        passkey_id=owner.passkey.pk,
        current_password=password,
        proof=proof,
        session_id=session_id,
    )


def logged(account: Account) -> list[str]:
    rows = SecurityEvent.objects.filter(account_id=account.pk).order_by("id")
    return list(rows.values_list("kind", flat=True))


def test_first_passkey_switches_the_factor_on_and_ends_other_sessions(ring: None) -> None:
    account = make_account()
    own, _other = (sessions.log_in(email=account.email, password=PASSWORD) for _ in range(2))
    own_id = access_tokens.verified(own["access_token"]).claims.session_id

    added = register(account, Authenticator().create(options_for(account)), own_id)

    assert len(added.recovery_codes) == 10
    assert added.passkey.transports == ["usb"]
    assert [session.pk for session in Session.objects.filter(ended_at=None)] == [own_id]
    assert Session.objects.get(pk=own_id).amr == "pwd pop"
    state = second_factor_of(account)
    assert (state["enabled"], state["has_app"], state["passkeys"]) == (True, False, 1)
    with pytest.raises(SecondFactorRequired):
        sessions.log_in(email=account.email, password=PASSWORD)
    assert logged(account)[-1] == "second_factor_on"


def test_later_passkey_asks_for_the_factor_and_keeps_the_recovery_codes(ring: None) -> None:
    owner = with_passkey()
    with pytest.raises(SecondFactorProofMissing):
        options_for(owner.account)

    options = options_for(owner.account, **proof_of(owner))
    added = register(owner.account, Authenticator().create(options))

    assert added.recovery_codes == []
    assert RecoveryCode.objects.count() == 10
    assert [each["id"] for each in options["excludeCredentials"]]
    assert logged(owner.account)[-1] == "passkey_added"


@pytest.mark.parametrize("has_app", [True, False])
def test_passkey_and_app_stand_for_each_other(ring: None, has_app: bool) -> None:
    if has_app:
        app = with_second_factor()
        account = app.account
        options = options_for(account, code=app.fresh_code())
        register(account, Authenticator().create(options))
    else:
        owner = with_passkey()
        account = owner.account
        with pytest.raises(SecondFactorProofMissing):
            second_factor.begin(account_id=account.pk, current_password=PASSWORD)
        second_factor.begin(account_id=account.pk, current_password=PASSWORD, proof=proof_of(owner))
        code = code_of(account)
        second_factor.confirm(account_id=account.pk, code=code, session_id=None)

    state = second_factor_of(account)
    assert (state["has_app"], state["passkeys"], state["recovery_codes_left"]) == (True, 1, 10)


def test_app_that_was_begun_before_the_passkey_is_begun_anew(ring: None) -> None:
    account = make_account()
    second_factor.begin(account_id=account.pk, current_password=PASSWORD)
    code = code_of(account)
    with_passkey(account)

    with pytest.raises(NoSetUp):
        second_factor.confirm(account_id=account.pk, code=code, session_id=None)

    assert not TotpDevice.objects.exists()


def test_registration_is_good_for_five_minutes(ring: None, monkeypatch: pytest.MonkeyPatch) -> None:
    account, key, now = make_account(), Authenticator(), time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    credential = key.create(options_for(account))

    monkeypatch.setattr(time, "time", lambda: now + 301)
    with pytest.raises(UnusablePasskey):
        register(account, credential)

    assert not Passkey.objects.exists()
    monkeypatch.setattr(time, "time", lambda: now + 299)
    assert register(account, credential).passkey.account == account


@pytest.mark.parametrize("change", ["factor", "password", "used", "other account"])
def test_registration_is_over_with_a_change_of_the_account(ring: None, change: str) -> None:
    account, key = make_account(), Authenticator()
    credential = key.create(options_for(account))
    if change == "factor":
        with_second_factor(account)
    elif change == "password":
        accounts.set_password(account=account, password="another long one")
    elif change == "used":
        register(account, credential)
        Passkey.objects.all().delete()
        RecoveryCode.objects.all().delete()
    elif change == "other account":
        account = make_account()
    before = list(Passkey.objects.values()), logged(account)

    with pytest.raises(UnusablePasskey):
        register(account, credential)

    assert (list(Passkey.objects.values()), logged(account)) == before


def test_passkey_of_somebody_else_is_no_second_account_s(ring: None) -> None:
    owner, account = with_passkey(), make_account()
    options = options_for(account)

    with pytest.raises(PasskeyKnown):
        register(account, owner.key.create(options))

    assert Passkey.objects.get().account == owner.account
    assert not second_factor_of(account)["enabled"]
    assert logged(account) == []


def test_account_has_ten_passkeys_at_most(ring: None) -> None:
    owner = with_passkey()
    options = options_for(owner.account, **proof_of(owner))
    for number in range(9):
        Passkey.objects.create(
            account=owner.account, credential_id=b"%d" % number, public_key=b"", sign_count=0
        )

    with pytest.raises(TooManyPasskeys):
        register(owner.account, Authenticator().create(options))
    with pytest.raises(TooManyPasskeys):
        options_for(owner.account, **proof_of(owner))

    assert Passkey.objects.count() == 10


def test_to_remove_one_of_two_ends_the_other_sessions(ring: None) -> None:
    app = with_second_factor()
    owner = with_passkey(app.account, code=app.fresh_code())
    own = Session.objects.create(account=owner.account, expires_at=timezone.now())
    Session.objects.create(account=owner.account, expires_at=timezone.now())

    remove(owner, proof_of(owner), own.pk)

    assert [session.pk for session in Session.objects.filter(ended_at=None)] == [own.pk]
    state = second_factor_of(owner.account)
    assert (state["enabled"], state["passkeys"]) == (True, 0)
    assert logged(owner.account)[-1] == "passkey_removed"


def test_to_remove_the_last_switches_off_and_ends_every_session(ring: None) -> None:
    owner = with_passkey()
    own = Session.objects.create(account=owner.account, expires_at=timezone.now())

    remove(owner, {"code": owner.recovery_code()}, own.pk)

    assert len(outbox_events("users.user_sessions_revoked.v1")) == 1
    assert not RecoveryCode.objects.exists()
    assert logged(owner.account)[-1] == "second_factor_off"
    assert sessions.log_in(email=owner.account.email, password=PASSWORD)["access_token"]


def test_refused_removal_changes_nothing(ring: None) -> None:
    owner, other = with_passkey(), with_passkey()
    used = proof_of(owner)
    second_factor.renew_recovery_codes(
        account_id=owner.account.pk, current_password=PASSWORD, proof=used
    )
    before = list(Passkey.objects.order_by("pk").values()), logged(owner.account)

    for proof in (used, proof_of(other), {"passkey": other.key.get(proof_options(owner))}):
        with pytest.raises(WrongPasskey):
            remove(owner, proof)
    with pytest.raises(SecondFactorProofMissing):
        remove(owner, {})
    with pytest.raises(WrongPassword):
        remove(owner, proof_of(owner), password="wrong")
    with pytest.raises(NotFound):
        remove(Owner(owner.account, other.key, []), proof_of(owner))

    assert (list(Passkey.objects.order_by("pk").values()), logged(owner.account)) == before


def test_operator_removes_every_factor(ring: None) -> None:
    owner = with_passkey()

    call_command("remove_second_factor", owner.account.email)

    assert not Passkey.objects.exists()
    assert sessions.log_in(email=owner.account.email, password=PASSWORD)["access_token"]


def test_spent_challenges_are_purged_after_a_day(ring: None) -> None:
    owner = with_passkey()
    remove(owner, proof_of(owner))
    count = "SELECT count(*) FROM spent_passkey_challenge"
    with connection.cursor() as cursor:
        purge.run()
        cursor.execute(count)
        assert cursor.fetchone() == (2,)
        cursor.execute("UPDATE spent_passkey_challenge SET spent_at = now() - interval '25 hours'")
        purge.run()
        cursor.execute(count)
        assert cursor.fetchone() == (0,)


@pytest.mark.django_db(transaction=True)
def test_one_answer_twice_at_once_counts_once(ring: None) -> None:
    owner = with_passkey(key=Authenticator(count=0))  # whose count tells no repetition
    proof = proof_of(owner)

    results = at_once(
        *[
            lambda: second_factor.renew_recovery_codes(
                account_id=owner.account.pk, current_password=PASSWORD, proof=proof
            )
        ]
        * 3
    )

    assert sorted(type(each).__name__ for each in results) == ["WrongPasskey"] * 2 + ["list"]


@pytest.mark.django_db(transaction=True)
def test_one_registration_twice_at_once_is_one_passkey(ring: None) -> None:
    account = make_account()
    credential = Authenticator().create(options_for(account))

    results = at_once(*[lambda: register(account, credential)] * 3)

    assert sorted(type(each).__name__ for each in results) == ["Added"] + ["UnusablePasskey"] * 2
    assert (Passkey.objects.count(), RecoveryCode.objects.count()) == (1, 10)
