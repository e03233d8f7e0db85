"""Every table of the kit; each service's database has its own copy of them."""

from servicekit.models.dead_letters import DeadLetter, DeadLetterAction
from servicekit.models.heartbeats import Heartbeat
from servicekit.models.idempotency import IdempotencyKey
from servicekit.models.inbox import InboxEvent
from servicekit.models.mails import Mail
from servicekit.models.outbox import OutboxAction, OutboxEvent
from servicekit.models.revocations import RevokedSession

__all__ = [
    "DeadLetter",
    "DeadLetterAction",
    "Heartbeat",
    "IdempotencyKey",
    "InboxEvent",
    "Mail",
    "OutboxAction",
    "OutboxEvent",
    "RevokedSession",
]
