from django.db import models


class RevokedSession(models.Model):
    """Access tokens that are refused although they have not expired.

    `session` names one session; empty, it means every session of `subject`. Tokens issued at or before `before` are refused, until
    `expires_at`, when the longest-lived of them is over and the row may go.
    """

    subject = models.UUIDField()
    session = models.UUIDField(null=True)
    before = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "revoked_session"
        constraints = [
            models.UniqueConstraint(
                fields=["subject", "session", "before"], name="revoked_session_once", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return f"{self.subject} {self.session or 'all'}"
