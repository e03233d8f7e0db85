"""Rows of users that are no longer needed (servicekit.operations.purge deletes them)."""

from servicekit.operations.purge import Purge, delete_older

# A spent token is what detects a replay, so a family's tokens stay until the family has expired and
# none of them can be used. They go before their session, a batch at a time: a family of two weeks
# may hold thousands.
REFRESH_TOKENS = Purge(
    "refresh_token",
    """
    DELETE FROM refresh_token WHERE id = ANY(ARRAY(
        SELECT token.id FROM session JOIN refresh_token AS token ON token.session_id = session.id
        WHERE session.expires_at < statement_timestamp() - %(days)s * interval '1 day'
        ORDER BY session.expires_at LIMIT %(batch)s FOR UPDATE OF token SKIP LOCKED))
    """,
    days=1,
)
# OFFSET 0 makes PostgreSQL look up the tokens session by session, by their index, instead of
# joining the whole table.
SESSIONS = Purge(
    "session",
    delete_older(
        "session",
        age="expires_at",
        also="NOT EXISTS (SELECT FROM refresh_token WHERE session_id = session.id OFFSET 0)",
    ),
    days=1,
)
# A retired key verifies no token any more, and its row holds a private key. There are a few at
# most: the table needs no index.
SIGNING_KEYS = Purge(
    "signing_key",
    delete_older(
        "signing_key",
        age="changed_at",
        key="kid",
        also="state = 'retired'",
    ),
    days=1,
)
# A source from which the account logged in stays known for a month.
LOGIN_ATTEMPTS = Purge(
    "login_attempt",
    delete_older(
        "login_attempt",
        age="last_at",
        also="(succeeded_at IS NULL OR succeeded_at < statement_timestamp() - interval '30 days')",
    ),
    days=2,
)
SECURITY_EVENTS = Purge("security_event", delete_older("security_event", age="at"), days=180)
MAIL_TOKENS = Purge("mail_token", delete_older("mail_token", age="expires_at"), days=0)
# Answered within seconds, unless no worker runs: by then nobody waits for the mail.
MAIL_REQUESTS = Purge("mail_request", delete_older("mail_request", age="created_at"), days=1)
REGISTRATIONS = Purge("registration", delete_older("registration", age="expires_at"), days=0)
LOG_IN_CHALLENGES = Purge(
    "log_in_challenge", delete_older("log_in_challenge", age="expires_at", key="digest"), days=1
)
UNCONFIRMED_SECOND_FACTORS = Purge(
    "totp_device",
    delete_older("totp_device", age="created_at", key="account_id", also="confirmed_at IS NULL"),
    days=1,
)
# A challenge is good for minutes; its signature says how old it is.
SPENT_PASSKEY_CHALLENGES = Purge(
    "spent_passkey_challenge",
    delete_older("spent_passkey_challenge", age="spent_at", key="digest"),
    days=1,
)
PURGES = [
    REFRESH_TOKENS,
    SESSIONS,
    SIGNING_KEYS,
    LOGIN_ATTEMPTS,
    SECURITY_EVENTS,
    MAIL_TOKENS,
    MAIL_REQUESTS,
    REGISTRATIONS,
    LOG_IN_CHALLENGES,
    UNCONFIRMED_SECOND_FACTORS,
    SPENT_PASSKEY_CHALLENGES,
]
