"""Messages that were on their way at the cut.

The broker is in no backup, but the outboxes and inboxes say what it held.
"""

import json
from collections import defaultdict

from souk import sql
from souk.checkout import REPOSITORY, SERVICES
from souk.console import log_step
from souk.runtime import Runtime

# What came to an end at a queue: an effect, or a dead letter.
ARRIVED = """
SELECT queue, event_id FROM inbox
UNION SELECT queue, event_id FROM dead_letter WHERE event_id IS NOT NULL;
"""
# Redriven, and no effect yet: the message was in the broker. It waits for a person again, unless it
# came back as a new letter.
WAIT_AGAIN = """
UPDATE dead_letter AS letter SET state = 'waiting'
WHERE state = 'redriven' AND event_id IS NOT NULL
    AND NOT EXISTS (
        SELECT FROM inbox
        WHERE inbox.queue = letter.queue AND inbox.event_id = letter.event_id)
    AND NOT EXISTS (
        SELECT FROM dead_letter AS other
        WHERE other.queue = letter.queue AND other.event_id = letter.event_id
            AND (other.state <> 'redriven' OR other.id > letter.id));
"""
SENT = "SELECT id, type FROM outbox WHERE sent_at IS NOT NULL;"
SEND_AGAIN = """
CREATE TEMPORARY TABLE again (id uuid PRIMARY KEY);
COPY again FROM STDIN;
{ids}
\\.
UPDATE outbox SET sent_at = NULL, attempts = 0, not_before = NULL
FROM again WHERE outbox.id = again.id;
"""


def send_again(shop: Runtime) -> int:
    """Let the relays publish again what a queue had not handed over by the time of the cut.

    Queues that had it already refuse the repeat by their inbox. Returns how many events.
    """
    arrived = defaultdict(set)
    for service in SERVICES:
        sql.run_script(shop.client(service), service, WAIT_AGAIN)
        for queue, event in _rows(shop, service, ARRIVED):
            arrived[queue].add(event)
    subscribers = _subscribers()
    total = 0
    for service in SERVICES:
        lost = [
            event
            for event, kind in _rows(shop, service, SENT)
            if any(event not in arrived[queue] for queue in subscribers[kind])
        ]
        if lost:
            sql.run_script(shop.client(service), service, SEND_AGAIN.format(ids="\n".join(lost)))
        total += len(lost)
    log_step(f"{total} events that were on their way will be published again")
    return total


def _rows(shop: Runtime, service: str, query: str) -> list[tuple[str, str]]:
    lines = sql.run_script(shop.client(service), service, query).splitlines()
    return [(first, second) for first, _, second in (line.partition("|") for line in lines)]


def _subscribers() -> dict[str, list[str]]:
    """Event type → queues."""
    topology = json.loads((REPOSITORY / "deploy" / "topology.json").read_text(encoding="utf-8"))
    found: dict[str, list[str]] = defaultdict(list)
    for service in topology.values():
        for queue, types in service["queues"].items():
            for kind in types:
                found[kind].append(queue)
    return found
