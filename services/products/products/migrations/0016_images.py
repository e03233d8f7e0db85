import django.db.models.constraints
import django.db.models.deletion
import django.db.models.functions.datetime
import uuid_utils.compat
from django.db import migrations, models


class Migration(migrations.Migration):
    """The pictures of products. The new column rewrites no table."""

    dependencies = [
        ('products', '0015_what_waits_for_mail_or_answer'),
    ]

    operations = [
        migrations.AddField(
            model_name='product',
            name='image',
            field=models.CharField(blank=True, db_default='', default='', max_length=60),
        ),
        migrations.CreateModel(
            name='ProductImage',
            fields=[
                ('id', models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ('position', models.SmallIntegerField()),
                ('alt', models.CharField(blank=True, db_default='', default='', max_length=300)),
                ('name', models.CharField(max_length=50, unique=True)),
                ('thumbnails', models.CharField(blank=True, db_default='', default='', max_length=50)),
                ('width', models.IntegerField()),
                ('height', models.IntegerField()),
                ('size_bytes', models.IntegerField()),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('product', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='images', to='products.product')),
            ],
            options={
                'db_table': 'product_image',
                'indexes': [models.Index(fields=['thumbnails'], name='product_image_by_thumbnails')],
                'constraints': [models.UniqueConstraint(deferrable=django.db.models.constraints.Deferrable['DEFERRED'], fields=('product', 'position'), name='product_image_position_once'), models.CheckConstraint(condition=models.Q(('position__gte', 0), ('position__lt', 20)), name='product_image_position_known'), models.CheckConstraint(condition=models.Q(('height__gt', 0), ('size_bytes__gt', 0), ('width__gt', 0)), name='product_image_not_empty')],
            },
        ),
    ]
