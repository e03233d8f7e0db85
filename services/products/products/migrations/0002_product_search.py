from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.operations import AddIndexConcurrently, TrigramExtension
from django.db import migrations
from django.db.models.functions import Upper


class Migration(migrations.Migration):
    """Search by part of the name. Built beside running writes; a build that was cut off leaves an invalid index, and is begun again."""

    atomic = False

    dependencies = [
        ("products", "0001_initial"),
    ]

    operations = [
        # A trusted extension: the owner of the database may create it (PostgreSQL manual, F.35).
        TrigramExtension(),
        # It waits for every transaction that is open, however long.
        migrations.RunSQL("SET lock_timeout = 0", migrations.RunSQL.noop),
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS product_by_name_part", migrations.RunSQL.noop),
        AddIndexConcurrently(
            model_name="product",
            index=GinIndex(OpClass(Upper("name"), name="gin_trgm_ops"), name="product_by_name_part"),
        ),
        migrations.RunSQL("RESET lock_timeout", migrations.RunSQL.noop),
    ]
