"""What is published about an account that has changed."""

from servicekit.messaging.outbox import publish
from users.events import UserUpdated
from users.models import Account


def publish_updated(account: Account) -> None:
    """Publish the account as it is now; whoever calls has raised its version."""
    event = UserUpdated(
        user_id=account.pk,
        email=account.email,
        email_verified=account.email_verified,
        roles=account.roles,
    )
    publish(event, subject=str(account.pk), sequence=account.version)
