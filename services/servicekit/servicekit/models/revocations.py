from datetime import UTC, datetime

from django.db import models

#: What psycopg can read back is less than what PostgreSQL can store: a time outside of these would make the table unreadable.
FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)
CURRENT_TRANSACTION = models.Func(
    function="pg_current_xact_id",
    template="%(function)s()::text::bigint",
    output_field=models.BigIntegerField(),
)


class RevokedSession(models.Model):
    """Access tokens that are refused although they have not expired.

    `session` names one session; empty, it means every session of `subject`. Tokens issued at or before `before` are refused, until
    `expires_at`, when the longest-lived of them is over and the row may go. `written_in` is the id of the transaction that wrote
    the row: a reader that knows which transactions had ended by its last look knows which rows are new to it.
    """

    subject = models.UUIDField()
    session = models.UUIDField(null=True)
    before = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    written_in = models.BigIntegerField(db_default=CURRENT_TRANSACTION, db_index=True, editable=False)

    class Meta:
        db_table = "revoked_session"
        constraints = [
            models.UniqueConstraint(
                fields=["subject", "session", "before"], name="revoked_session_once", nulls_distinct=False
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
