from django.db import migrations

# A category could not be deleted any more once it had held a product that was deleted.
LEAVE = "UPDATE product SET category_id = NULL WHERE deleted_at IS NOT NULL AND category_id IS NOT NULL"


class Migration(migrations.Migration):
    dependencies = [("products", "0002_product_search")]

    operations = [migrations.RunSQL(LEAVE, migrations.RunSQL.noop)]
