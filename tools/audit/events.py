"""I5, I6, I11: every event that was decided is published, takes effect once, and none vanishes."""

from collections import Counter, defaultdict
from typing import Any

from audit.result import Result
from audit.sources import SERVICES, Sources

UNSENT = """
    SELECT id::text, type, subject, parked_at IS NOT NULL, last_error FROM outbox
    WHERE sent_at IS NULL AND discarded_at IS NULL
        AND (parked_at IS NOT NULL OR created_at < now() - interval '5 seconds') ORDER BY position
"""
# The hash is the inbox's own (servicekit.messaging.inbox.payload_hash): type, NUL, data.
PUBLISHED = """
    SELECT id, type, sha256(convert_to(type, 'UTF8') || '\\x00'::bytea || data),
        created_at < now() - interval '5 seconds'
    FROM outbox WHERE sent_at IS NOT NULL
"""
# Sent rows are kept for seven days: what was handled a day before that may have lost its row.
HANDLED = "SELECT queue, event_id, payload_hash, handled_at > now() - interval '6 days' FROM inbox"
TWICE = (
    "SELECT queue, event_id::text, count(*) FROM inbox GROUP BY queue, event_id HAVING count(*) > 1"
)
ONCE_INDEX = """
    SELECT count(*) FROM pg_indexes WHERE schemaname = 'public' AND tablename = 'inbox'
    AND indexdef LIKE 'CREATE UNIQUE INDEX%%(queue, event_id)%%'
"""
LETTERS = "SELECT queue, event_id, reason, state FROM dead_letter"
#: An order that products decided, without the event that made it, or the other way round.
DECIDED = "SELECT order_id::text FROM reservation WHERE created_at > now() - interval '6 days'"
HANDLED_ORDERS = "SELECT event_id FROM inbox WHERE queue = 'products.orders'"
CAUSES = """
    SELECT id, subject FROM outbox
    WHERE type IN ('orders.order_placed.v1', 'orders.order_cancelled.v1', 'orders.order_expired.v1')
"""
UNCAUSED_STEPS = """
    SELECT order_id::text, to_status FROM order_history LEFT JOIN inbox
        ON inbox.event_id = order_history.event_id AND inbox.queue = 'orders.stock'
    WHERE from_status = 'pending' AND to_status IN ('confirmed', 'rejected') AND at > now() - interval '6 days'
        AND inbox.event_id IS NULL
"""


def published(sources: Sources) -> Result:
    """I5: every outbox row was sent; every handled event has its row, with the same content."""
    found, sent = [], {}
    for service, database in sources.databases.items():
        for event, kind, subject, parked, error in database.rows(UNSENT):
            state = f"parked: {error}" if parked else "unsent"
            found.append(f"{service}: event {event} {kind} of {subject} is {state}")
        sent.update({row[0]: bytes(row[2]) for row in database.rows(PUBLISHED)})
    handled = 0
    for service in SERVICES:
        for queue, event, payload, is_recent in sources.database(service).rows(HANDLED):
            handled += 1
            if event in sent and sent[event] != bytes(payload):
                found.append(
                    f"{queue}: event {event} was handled with other content than was published"
                )
            elif event not in sent and is_recent and not _is_outbox_row(sources, event):
                found.append(f"{queue}: event {event} was handled, but nobody decided it")
    return Result(
        "I5",
        "events are what was decided",
        f"{len(sent)} sent, {handled} handled",
        found,
        "unsent: is the relay alive and the queue bound? parked: the row says why; an event nobody"
        " decided was forged",
    )


def _is_outbox_row(sources: Sources, event: Any) -> bool:
    """Whether the event was published but not marked yet: a relay that died after the confirm sends
    it again.
    """
    query = "SELECT count(*) FROM outbox WHERE id = %s"
    return any(database.number(query, [event]) for database in sources.databases.values())


def effect_once(sources: Sources) -> Result:
    """I6: one inbox row per queue and event, one effect per row."""
    found, rows = [], 0
    for service, database in sources.databases.items():
        rows += database.number("SELECT count(*) FROM inbox")
        found += [
            f"{queue}: event {event} has {count} rows"
            for queue, event, count in database.rows(TWICE)
        ]
        if not database.number(ONCE_INDEX):
            found.append(f"{service}: the table inbox has no unique index on queue and event")
    handled = {row[0] for row in sources.products.rows(HANDLED_ORDERS)}
    caused = {subject for event, subject in sources.orders.rows(CAUSES) if event in handled}
    decided = {row[0] for row in sources.products.rows(DECIDED)}
    found += [
        f"order {order}: reserved without an event of it" for order in sorted(decided - caused)
    ]
    found += [
        f"order {order}: its event was handled without effect" for order in sorted(caused - decided)
    ]
    found += [
        f"order {order}: {status} without an event that products sent"
        for order, status in sources.orders.rows(UNCAUSED_STEPS)
    ]
    return Result(
        "I6",
        "each event takes effect once",
        f"{rows} inbox rows",
        found,
        "an effect without its inbox row was made past the consumer, or the row was lost with a"
        " restored database",
    )


def nothing_vanishes(sources: Sources) -> Result:
    """I11: per queue, published = handled + dead letters + still in the queue, by distinct id; each
    letter has a reason.
    """
    accounted, found, letters = _accounted(sources)
    total, missing = _missing(sources, accounted)
    depths = sources.broker.depths()
    elsewhere = sum(
        depth for name, depth in depths.items() if ".retry." in name or name.endswith(".dead")
    )
    for queue, events in missing.items():
        waiting = depths.get(queue, 0) + elsewhere
        if len(events) > waiting:
            found.append(
                f"{queue}: {len(events)} events neither handled nor dead, {waiting} in queues, e.g."
                f" {events[0]}"
            )
    return Result(
        "I11",
        "no event vanishes",
        f"{total} deliveries, {sum(map(len, missing.values()))} under way, {_letters(letters)}",
        found,
        "a queue was purged or unbound: `make outbox SERVICE=… ARGS='republish --type … --since"
        " …'`, or rebuild",
    )


def _missing(sources: Sources, accounted: set[tuple[str, Any]]) -> tuple[int, dict[str, list[str]]]:
    """Return how many deliveries there should be, and which are not accounted for, per queue."""
    subscribers = defaultdict(list)
    for queue, types in sources.subscriptions.items():
        for kind in types:
            subscribers[kind].append(queue)
    total = 0
    missing: dict[str, list[str]] = defaultdict(list)
    for database in sources.databases.values():
        for event, kind, _, is_old in database.rows(PUBLISHED):
            for queue in subscribers.get(kind, ()):
                total += 1
                if (queue, event) not in accounted and is_old:
                    missing[queue].append(f"{kind} {event}")
    return total, missing


def _accounted(sources: Sources) -> tuple[set[tuple[str, Any]], list[str], Counter[str]]:
    accounted: set[tuple[str, Any]] = set()
    found: list[str] = []
    letters: Counter[str] = Counter()
    for service, database in sources.databases.items():
        accounted.update((queue, event) for queue, event, _, _ in database.rows(HANDLED))
        for queue, event, reason, state in database.rows(LETTERS):
            accounted.add((queue, event))
            letters[state] += 1
            if not reason.strip():
                found.append(f"{service}: a dead letter of {queue} has no reason")
    return accounted, found, letters


def _letters(letters: Counter[str]) -> str:
    return "dead letters: " + (
        ", ".join(f"{count} {state}" for state, count in sorted(letters.items())) or "none"
    )
