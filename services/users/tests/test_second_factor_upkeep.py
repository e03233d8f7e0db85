"""Second factors in the hands of operators and admins: lost devices, keys, staff, the log."""

import logging
from datetime import timedelta
from io import StringIO
from typing import Any

import jwt
import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from servicekit.auth import tokens as access_tokens
from servicekit.auth.permissions import MissingRole
from servicekit.operations import purge
from servicekit.testing.deliver import outbox_events
from tests.factories import PASSWORD, make_account
from tests.second_factors import App, code_of, secret_of, with_second_factor
from users.errors import (
    SecondFactorRequired,
    UnreadableSecondFactor,
    WrongLogInCode,
)
from users.models import Account, LogInChallenge, SecurityEvent, TotpDevice
from users.services import accounts, sessions, signing_keys
from users.services.factors import second_factor, second_factor_codes, second_step, totp

pytestmark = pytest.mark.django_db
REVOKED = "users.user_sessions_revoked.v1"


def challenge_of(account: Account) -> str:
    with pytest.raises(SecondFactorRequired) as refusal:
        sessions.log_in(email=account.email, password=PASSWORD)
    return str(refusal.value.members["challenge"])


def log_in(app: App, code: str = "") -> dict[str, Any]:
    return second_step.answer_challenge(
        challenge=challenge_of(app.account), proof={"code": code or app.fresh_code()}
    )


def claims_of(tokens: dict[str, Any]) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    return claims


def test_operator_removes_a_lost_factor(ring: None) -> None:
    app = with_second_factor()
    log_in(app)
    challenge_of(app.account)
    printed = [StringIO(), StringIO()]

    for out in printed:
        call_command("remove_second_factor", app.account.email, stdout=out)

    assert "no second factor any more; its sessions end" in printed[0].getvalue()
    assert "has no second factor." in printed[1].getvalue()
    assert not LogInChallenge.objects.exists()
    assert len(outbox_events(REVOKED)) == 1
    assert sessions.log_in(email=app.account.email, password=PASSWORD)["access_token"]


def test_secrets_are_in_no_table_and_in_no_log(
    ring: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    app = with_second_factor()
    tokens = log_in(app)
    challenge = challenge_of(app.account)
    secret = secret_of(app.account)
    texts = [totp.as_text(secret), secret.hex(), challenge, tokens["refresh_token"]]
    texts += app.recovery_codes + [code.replace("-", "") for code in app.recovery_codes]

    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = [row[0] for row in cursor.fetchall()]
        held = ""
        for table in tables:
            cursor.execute(f'SELECT string_agg(t::text, chr(10)) FROM "{table}" AS t')  # noqa: S608
            held += cursor.fetchone()[0] or ""

    assert app.account.email in held
    for text in texts:
        assert text not in held
        assert text.encode().hex() not in held
        assert text not in caplog.text


def test_secret_is_encrypted_under_a_new_key_and_the_old_may_go(ring: None, settings: Any) -> None:
    app = with_second_factor()
    old, new = settings.KEY_ENCRYPTION_KEYS, Fernet.generate_key().decode()
    settings.KEY_ENCRYPTION_KEYS = [new, *old]
    call_command("ensure_signing_keys", stdout=StringIO())
    settings.KEY_ENCRYPTION_KEYS = [new]
    signing_keys.forget_ring()

    assert log_in(app)
    assert second_factor_codes.renew_encryption() == 0


def test_lost_encryption_key_leaves_recovery_codes(ring: None, settings: Any) -> None:
    app = with_second_factor()
    code = app.fresh_code()
    settings.KEY_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    challenge = challenge_of(app.account)

    with pytest.raises(UnreadableSecondFactor):
        second_step.answer_challenge(challenge=challenge, proof={"code": code})
    assert second_factor_codes.renew_encryption() == 0

    signing_keys.withdraw_signing_keys()
    assert second_step.answer_challenge(challenge=challenge, proof={"code": app.recovery_code()})


def test_staff_without_a_factor_are_customers_where_it_is_required(
    ring: None, settings: Any
) -> None:
    account = make_account(is_staff=True)
    before = sessions.log_in(email=account.email, password=PASSWORD)
    assert "second_factor_missing" not in before
    settings.SECOND_FACTOR_FOR_STAFF = True

    renewed = sessions.refresh(refresh_token=before["refresh_token"])
    tokens = sessions.log_in(email=account.email, password=PASSWORD)

    for answer in (renewed, tokens):
        assert (claims_of(answer)["roles"], answer["second_factor_missing"]) == (["customer"], True)
    with_second_factor(account)
    proved = log_in(App(account, []))
    assert claims_of(proved)["roles"] == ["customer", "staff", "admin"]
    assert "second_factor_missing" not in proved


def test_staff_get_their_roles_in_the_session_that_set_the_factor_up(
    ring: None, settings: Any
) -> None:
    settings.SECOND_FACTOR_FOR_STAFF = True
    account = make_account(is_staff=True)
    tokens = sessions.log_in(email=account.email, password=PASSWORD)
    second_factor.begin(account_id=account.pk, current_password=PASSWORD)

    second_factor.confirm(
        account_id=account.pk,
        code=code_of(account),
        session_id=access_tokens.verified(tokens["access_token"]).claims.session_id,
    )

    renewed = sessions.refresh(refresh_token=tokens["refresh_token"])
    assert claims_of(renewed)["roles"] == ["customer", "staff", "admin"]


def test_customers_are_not_asked_where_staff_are(ring: None, settings: Any) -> None:
    settings.SECOND_FACTOR_FOR_STAFF = True

    tokens = sessions.log_in(email=make_account().email, password=PASSWORD)

    assert claims_of(tokens)["roles"] == ["customer"]
    assert "second_factor_missing" not in tokens


def test_changed_password_leaves_the_factor_on(ring: None) -> None:
    app = with_second_factor()

    accounts.set_password(account=app.account, password="another long one")

    with pytest.raises(SecondFactorRequired):
        sessions.log_in(email=app.account.email, password="another long one")


@pytest.mark.django_db(transaction=True)
def test_purge_takes_old_challenges_and_set_ups_that_nobody_confirmed(ring: None) -> None:
    app = with_second_factor()
    other, young = make_account(), make_account()
    for account in (other, young):
        second_factor.begin(account_id=account.pk, current_password=PASSWORD)
        challenge_of(app.account)
    old = timezone.now() - timedelta(days=2)
    TotpDevice.objects.exclude(account=young).update(created_at=old)
    LogInChallenge.objects.filter(
        pk__in=LogInChallenge.objects.values_list("pk", flat=True)[:1]
    ).update(expires_at=old)

    purge.run()

    assert set(TotpDevice.objects.values_list("account_id", flat=True)) == {
        app.account.pk,
        young.pk,
    }
    assert LogInChallenge.objects.count() == 1


def test_security_log_tells_what_was_done_and_by_whom(ring: None) -> None:
    admin, app = make_account(roles=["admin"]), with_second_factor()
    proof = {"account_id": app.account.pk, "current_password": PASSWORD}
    codes = second_factor.renew_recovery_codes(
        **proof, proof={"code": app.fresh_code()}, device="Firefox"
    )
    with pytest.raises(WrongLogInCode):
        log_in(app, app.wrong_code())
    second_factor.disable(**proof, proof={"code": codes[0].replace("-", "")})
    with_second_factor(app.account)

    second_factor.remove_for_owner(account_id=app.account.pk, by=admin.pk)

    rows = SecurityEvent.objects.filter(account_id=app.account.pk).order_by("id")
    assert list(rows.values_list("kind", "device", "by")) == [
        ("second_factor_on", "", None),
        ("recovery_codes_new", "Firefox", None),
        ("login_failed", "", None),
        ("second_factor_off", "", None),
        ("second_factor_on", "", None),
        ("second_factor_off", "", admin.pk),
    ]


def test_demoted_admin_removes_nothing_with_an_old_token(ring: None) -> None:
    app, demoted = with_second_factor(), make_account()

    with pytest.raises(MissingRole):
        second_factor.remove_for_owner(account_id=app.account.pk, by=demoted.pk)

    assert TotpDevice.objects.exists()
    assert outbox_events(REVOKED) == []
