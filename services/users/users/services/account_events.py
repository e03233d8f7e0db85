"""What is published about an account that has changed."""

from servicekit.messaging.outbox import publish
from users.events import UserUpdated
from users.models import Account


def publish_state(account: Account) -> None:
    """Publish the state of an account, with the version that the caller gave it."""
    event = UserUpdated(
        user_id=account.pk,
        version=account.version,
        active=account.is_active,
        roles=account.roles,
        email_verified=account.email_verified,
        language=account.language,
        marketing_consent=account.marketing_consent,
    )
    publish(event, subject=str(account.pk), sequence=account.version)
