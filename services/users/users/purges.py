"""Rows of users that have served their purpose (servicekit.operations.purge runs them)."""

from servicekit.operations.purge import Purge

# A spent token is what tells a replay, so all of a family stay until the family itself has expired and none can be used any more.
# They go before their session, a batch at a time: a family of two weeks may hold thousands.
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
# OFFSET 0 lets the tokens be looked up session by session, by their index, and never joined as a whole.
SESSIONS = Purge(
    "session",
    """
    DELETE FROM session WHERE id = ANY(ARRAY(
        SELECT id FROM session
        WHERE expires_at < statement_timestamp() - %(days)s * interval '1 day'
            AND NOT EXISTS (SELECT FROM refresh_token WHERE session_id = session.id OFFSET 0)
        ORDER BY expires_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED))
    """,
    days=1,
)
# Nobody verifies with a retired key, and its row holds a private one. There are a few at most: the table needs no index.
SIGNING_KEYS = Purge(
    "signing_key",
    """
    DELETE FROM signing_key WHERE kid = ANY(ARRAY(
        SELECT kid FROM signing_key
        WHERE state = 'retired' AND changed_at < statement_timestamp() - %(days)s * interval '1 day'
        ORDER BY changed_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED))
    """,
    days=1,
)
# A source from which the account logged in stays known for a month.
LOGIN_ATTEMPTS = Purge(
    "login_attempt",
    """
    DELETE FROM login_attempt WHERE id = ANY(ARRAY(
        SELECT id FROM login_attempt
        WHERE last_at < statement_timestamp() - %(days)s * interval '1 day'
            AND (succeeded_at IS NULL OR succeeded_at < statement_timestamp() - interval '30 days')
        ORDER BY last_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED))
    """,
    days=2,
)
