from django.db import migrations

SET = "ALTER TABLE product ALTER COLUMN attributes SET STATISTICS {}"


class Migration(migrations.Migration):
    """How frequent a value of an attribute is, PostgreSQL looks up in a sample of the column: of a hundred rows, it
    missed values that a twentieth of the products have, and would have sorted all of them. No write waits for it.
    """

    atomic = False

    dependencies = [("products", "0020_popularity_indexes")]

    operations = [
        migrations.RunSQL(SET.format(1000), SET.format(-1)),
        migrations.RunSQL("ANALYZE product (attributes)", migrations.RunSQL.noop),
    ]
