from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """Alerts without a mail, reservations without an end.

    Built beside running writes; a build that was cut off is begun again.
    """

    atomic = False

    dependencies = [("products", "0014_mails_and_confirmations")]

    operations = [
        # It waits for every transaction that is open, however long.
        migrations.RunSQL("SET lock_timeout = 0", migrations.RunSQL.noop),
        migrations.RunSQL(
            "DROP INDEX CONCURRENTLY IF EXISTS stock_alert_unmailed", migrations.RunSQL.noop
        ),
        migrations.RunSQL(
            "DROP INDEX CONCURRENTLY IF EXISTS reservation_unsettled", migrations.RunSQL.noop
        ),
        AddIndexConcurrently(
            "stockalert",
            models.Index(
                fields=["opened_at"], name="stock_alert_unmailed", condition=Q(mailed_at=None)
            ),
        ),
        AddIndexConcurrently(
            "reservation",
            models.Index(
                fields=["created_at"],
                name="reservation_unsettled",
                condition=Q(status="reserved", confirmed_at=None),
            ),
        ),
        migrations.RunSQL("RESET lock_timeout", migrations.RunSQL.noop),
    ]
