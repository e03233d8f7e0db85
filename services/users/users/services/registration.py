"""Open an account by a mailed token: registration tells nobody who has one.

Asking does the same work for every address; a job answers by mail, with a token where the address
is free and a notice to its owner where it is taken. The account comes into being when the token
comes back with the password that was asked with: a stranger has no token, and the reader of the
mail cannot open an account with a stranger's password
(docs/adr/0099-registration-tells-nobody-who-has-an-account.md).
"""

from datetime import timedelta

from django.contrib.auth.hashers import check_password, make_password
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from users.errors import UnusableToken, WrongRegistrationPassword
from users.models import Account, Language, Registration
from users.services import account_mails, accounts, mail_limits, mail_tokens

LIFE = timedelta(hours=24)
#: At the password: who has the token reads the mails and may ask anew.
TRIES = 5


def ask(
    *,
    email: str,
    password: str,
    source: str,
    name: str = "",
    language: str = Language.ENGLISH,
) -> None:
    """Note that an account was asked for; `answer_next` answers by mail.

    The same statements run, and one password is hashed, whether or not the address has an account.

    Raises:
        InvalidEmail: the address is not usable.
    """
    address = Account.objects.normalize_email(email)
    hashed = make_password(password)
    if mail_limits.is_allowed(email=address, source=source):
        Registration.objects.create(
            email=address,
            name=name,
            language=language,
            password=hashed,
            tries_left=TRIES,
            expires_at=timezone.now() + LIFE,
        )


def answer_next() -> bool:
    """Mail the oldest registration its token, or the address's owner a notice.

    Returns False when none waits.
    """
    with transaction.atomic():
        waiting = Registration.objects.filter(digest=None).select_for_update(skip_locked=True)
        registration = waiting.order_by("id").first()
        if registration is None:
            return False
        owner = Account.objects.filter(email=registration.email).first()
        if owner is None:
            _send_token(registration)
        else:
            account_mails.tell_registration_taken(owner=owner)
            registration.delete()
    return True


def confirm(*, token: str, password: str) -> Account:
    """Make the account, verified from the start, and publish UserRegistered.

    What else was asked for with its address ends.

    Raises:
        UnusableToken: it is unknown, spent or expired, or its tries are used up.
        WrongRegistrationPassword: the registration has another password.
        EmailTaken: another account got the address meanwhile.
    """
    registration = _take_try(mail_tokens.digest_of(token))
    if not check_password(password, registration.password):
        raise WrongRegistrationPassword(tries_left=registration.tries_left)
    account = Account(
        email=registration.email,
        name=registration.name,
        language=registration.language,
        password=registration.password,
        email_verified=True,
    )
    # The account first: of two tokens of one address, the second waits here and finds it taken.
    with accounts.creating(account):
        spent, _ = Registration.objects.filter(pk=registration.pk).delete()
        if not spent:
            raise UnusableToken
        forget(email=registration.email)
    return account


def forget(*, email: str) -> None:
    """Delete what was asked for with an address, in the caller's transaction."""
    Registration.objects.filter(email=email).delete()


def _send_token(registration: Registration) -> None:
    token = mail_tokens.new_token()
    registration.digest = mail_tokens.digest_of(token)
    registration.expires_at = timezone.now() + LIFE
    registration.save(update_fields=["digest", "expires_at"])
    account_mails.send_registration(registration=registration, token=token, life=LIFE)


def _take_try(digest: bytes) -> Registration:
    """Count a try at the password, before it is hashed; of many at once no more than TRIES pass."""
    usable = Registration.objects.filter(
        digest=digest, expires_at__gt=timezone.now(), tries_left__gt=0
    )
    is_taken = usable.update(tries_left=F("tries_left") - 1)
    registration = Registration.objects.filter(digest=digest).first() if is_taken else None
    if registration is None:
        raise UnusableToken
    return registration
