from datetime import UTC, datetime

from django.db import models

#: psycopg reads fewer times than PostgreSQL stores: a time outside of these would make the table
#: unreadable.
FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)
CURRENT_TRANSACTION = models.Func(
    function="pg_current_xact_id",
    template="%(function)s()::text::bigint",
    output_field=models.BigIntegerField(),
)


class RevokedSession(models.Model):
    """Access tokens that are refused although they have not expired.

    `session` names a session; if empty, every session of `subject` is meant. Tokens that were
    issued at or before `before` are refused until `expires_at`, when the last of them has expired
    and the row may be deleted. `written_in` is the id of the transaction that wrote the row: a
    reader that knows which transactions had ended when it last read knows which rows are new to it.
    """

    subject = models.UUIDField()
    session = models.UUIDField(null=True)
    before = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    written_in = models.BigIntegerField(
        db_default=CURRENT_TRANSACTION, db_index=True, editable=False
    )

    class Meta:
        db_table = "revoked_session"
        constraints = [
            models.UniqueConstraint(
                fields=["subject", "session", "before"],
                name="revoked_session_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=models.Q(before__gte=FIRST, before__lt=LAST),
                name="revoked_session_before_readable",
            ),
            models.CheckConstraint(
                condition=models.Q(expires_at__gte=FIRST, expires_at__lt=LAST),
                name="revoked_session_expires_readable",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject} {self.session or 'all'}"
