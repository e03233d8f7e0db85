"""How commands name an account: by its address."""

from django.core.management.base import CommandError

from users.models import Account, InvalidEmail


def find_account(email: str) -> Account | None:
    """Return the account with this address, or None.

    Raises:
        CommandError: it is not an address.
    """
    try:
        return Account.objects.filter(email=Account.objects.normalize_email(email)).first()
    except InvalidEmail as error:
        raise CommandError(error.message) from error


def account_for(email: str) -> Account:
    """Return the account with this address.

    Raises:
        CommandError: it is not an address, or no account has it.
    """
    account = find_account(email)
    if account is None:
        raise CommandError(
            f"Nobody is registered as {email}. `make_staff --create` makes an account."
        )
    return account
