"""A binding that is lost is back by itself, and what went by is published again."""

from datetime import UTC, datetime

from harness import wait_until

from servicekit.messaging.connection import connect

REVOKED = "users.user_sessions_revoked.v1"
OWN = ("orders.users", "users.events", REVOKED)
HEARD = "SELECT count(*) FROM inbox WHERE queue = 'orders.users' AND event_id = %s"


def log_out(shop, stack):
    """Return the id of the event of a log-out that has left the outbox."""
    person = shop.register()
    assert (
        shop.call("POST", "/api/auth/revoke/", json={"refresh_token": person.refresh}).status_code
        == 204
    )
    query = "SELECT id FROM outbox WHERE subject = %s AND type = %s AND sent_at IS NOT NULL"
    with stack.database("users") as users:
        (event_id,) = wait_until(
            lambda: users.execute(query, [str(person.id), REVOKED]).fetchone(),
            what="the event is sent",
        )
    return event_id


def test_lost_binding_is_back_and_what_was_missed_is_published_again(shop, stack):
    since = datetime.now(UTC).isoformat()
    with connect(stack.ops["OPS_BROKER_URL"]) as connection:
        connection.channel().queue_unbind(*OWN)
    missed = log_out(shop, stack)

    stack.restart("orders-consumer")

    heard = lambda event_id: stack.number("orders", HEARD, event_id) == 1  # noqa: E731
    wait_until(lambda: heard(log_out(shop, stack)), what="a new event arrives")
    assert not heard(missed)
    stack.outbox("users", "republish", "--type", REVOKED, "--since", since, "--by", "fault suite")
    wait_until(lambda: heard(missed), what="the missed event arrives")
    stack.audit()
