from django.db import migrations

# What a deleted account published of its reviews is looked for in the outbox, which is large: the
# index holds those events alone.
CREATE = """
    CREATE INDEX CONCURRENTLY outbox_published_review ON outbox (subject)
    WHERE type = 'products.review_published.v1'
"""
DROP = "DROP INDEX CONCURRENTLY IF EXISTS outbox_published_review"


class Migration(migrations.Migration):
    """Built beside running writes; what a build that was cut off has left is dropped."""

    atomic = False

    dependencies = [
        ("products", "0022_staff_lists_and_bulk_changes"),
        ("servicekit", "0004_process_findings"),
    ]

    operations = [
        # It waits for every transaction that is open, however long.
        migrations.RunSQL("SET lock_timeout = 0", migrations.RunSQL.noop),
        migrations.RunSQL(DROP, migrations.RunSQL.noop),
        migrations.RunSQL(CREATE, DROP),
        migrations.RunSQL("RESET lock_timeout", migrations.RunSQL.noop),
    ]
