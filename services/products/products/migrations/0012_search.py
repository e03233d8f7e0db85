from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.operations import CreateExtension
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import migrations, models
from django.db.models import F, Func, Value
from django.db.models.fields.json import KeyTextTransform
from uuid_utils.compat import uuid7

# The words of every name of before. Later ones are added as products are written.
FILL = r"""
    INSERT INTO search_word (word)
    SELECT DISTINCT word FROM product, regexp_split_to_table(lower(name), '[^[:alpha:]]+') AS word
    WHERE length(word) BETWEEN 3 AND 200
    ON CONFLICT DO NOTHING
"""


def words(text):
    separators, blank, everywhere = Value("[/._@:-]+"), Value(" "), Value("g")
    return Func(
        text,
        separators,
        blank,
        everywhere,
        function="regexp_replace",
        output_field=models.TextField(),
    )


def translated(name):
    return KeyTextTransform(name, KeyTextTransform("de", "translations"))


DOCUMENT = (
    SearchVector(
        words(F("name")),
        words(F("sku")),
        words(translated("name")),
        config="simple",
        weight="A",
    )
    + SearchVector(words(F("name")), config="english", weight="A")
    + SearchVector(words(translated("name")), config="german", weight="A")
    + SearchVector(words(F("description")), config="english", weight="C")
    + SearchVector(words(translated("description")), config="german", weight="C")
)


def empty_object():
    return models.JSONField(db_default=Value({}, models.JSONField()), default=dict)


class Migration(migrations.Migration):
    """Full text search, and attributes. `document` is made for every product: the table is locked meanwhile, about
    a minute for a million products (docs/operations.md, Upgrade).
    """

    dependencies = [("products", "0011_products_by_rating")]

    operations = [
        # A trusted extension: the owner of the database may create it (PostgreSQL manual, F.17).
        CreateExtension("fuzzystrmatch"),
        migrations.CreateModel(
            name="SearchWord",
            fields=[
                (
                    "word",
                    models.CharField(max_length=200, primary_key=True, serialize=False),
                ),
            ],
            options={"db_table": "search_word"},
        ),
        migrations.AddIndex(
            "searchword",
            GinIndex(OpClass("word", name="gin_trgm_ops"), name="search_word_by_part"),
        ),
        migrations.AddField("category", "translations", empty_object()),
        migrations.AddField("product", "translations", empty_object()),
        migrations.AddField("product", "attributes", empty_object()),
        migrations.CreateModel(
            name="Attribute",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("key", models.CharField(max_length=50, unique=True)),
                (
                    "type",
                    models.CharField(
                        choices=[("text", "Text"), ("number", "Number"), ("boolean", "Boolean")],
                        max_length=10,
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                ("translations", empty_object()),
                ("unit", models.CharField(blank=True, default="", max_length=20)),
            ],
            options={
                "db_table": "attribute",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("type__in", ["text", "number", "boolean"])),
                        name="attribute_type_known",
                    )
                ],
            },
        ),
        migrations.AddField(
            "product",
            "document",
            models.GeneratedField(
                db_persist=True, expression=DOCUMENT, output_field=SearchVectorField()
            ),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
