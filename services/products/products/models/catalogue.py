"""What the shop sells: products in a tree of categories."""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from django.db.models import Expression, F, Func, Q, Value
from django.db.models.expressions import CombinedExpression
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Collate
from uuid_utils.compat import uuid7

from servicekit.collations import BY_LANGUAGE
from servicekit.models.timestamped import Timestamped

CURRENCIES = ("EUR", "GBP", "USD", "CHF", "SEK", "PLN")
#: What staff can fill a stock up to. What orders give back is always taken, also beyond it: the
#: column holds far more than any number of deliveries and releases adds up to
#: (docs/adr/0068-every-release-fits.md).
MAX_STOCK = 1_000_000_000
#: The language of names and descriptions themselves; `translations` has the others.
BASE_LANGUAGE = "en"
#: PostgreSQL's search configuration of each language.
SEARCH_CONFIGURATIONS = {"en": "english", "de": "german"}
EMPTY_OBJECT = Value({}, models.JSONField())


def _words(text: Expression | F) -> Func:
    """`text` as PostgreSQL's parser sees words: without what it takes for paths and addresses."""
    separators, blank, everywhere = Value("[/._@:-]+"), Value(" "), Value("g")
    return Func(
        text,
        separators,
        blank,
        everywhere,
        function="regexp_replace",
        output_field=models.TextField(),
    )


def _translated(name: str) -> KeyTextTransform:
    return KeyTextTransform(name, KeyTextTransform("de", "translations"))


def _document() -> CombinedExpression:
    """What full text search looks at: names and the SKU above descriptions, in each language.

    The plain words are what the beginning of a word is found by.
    """
    german_name, german_description = _translated("name"), _translated("description")
    as_written = (_words(F("name")), _words(F("sku")), _words(german_name))
    return (
        SearchVector(*as_written, config="simple", weight="A")
        + SearchVector(_words(F("name")), config="english", weight="A")
        + SearchVector(_words(german_name), config="german", weight="A")
        + SearchVector(_words(F("description")), config="english", weight="C")
        + SearchVector(_words(german_description), config="german", weight="C")
    )


class Category(models.Model):
    """A place in the tree of categories; services/categories.py keeps it free of cycles."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(max_length=100, unique=True)
    name = models.CharField(max_length=200)
    #: {"de": {"name": …}}
    translations = models.JSONField(default=dict, db_default=EMPTY_OBJECT)
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="children")

    class Meta:
        db_table = "category"
        constraints = [
            models.CheckConstraint(condition=~Q(parent=F("id")), name="category_not_its_own_parent")
        ]

    def __str__(self) -> str:
        return self.slug


class Product(Timestamped):
    """Something to buy.

    `sku` is the shop's own number for it, `compare_at_price` what it cost before, for show only.
    `version` counts changes of the catalogue's fields, not of the stock.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(max_length=100, unique=True)
    sku = models.CharField(max_length=64, default="", blank=True, db_default="")
    name = models.CharField(max_length=200)
    description = models.TextField(default="", blank=True)
    #: {"de": {"name": …, "description": …}}
    translations = models.JSONField(default=dict, db_default=EMPTY_OBJECT)
    #: Values by the key of an Attribute: {"colour": "red", "height": 12.5, "is_foldable": true}
    attributes = models.JSONField(default=dict, db_default=EMPTY_OBJECT)
    document = models.GeneratedField(
        expression=_document(), output_field=SearchVectorField(), db_persist=True
    )
    price = models.DecimalField(max_digits=12, decimal_places=2)
    compare_at_price = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    currency = models.CharField(max_length=3)
    stock = models.BigIntegerField(default=0)
    #: Staff are told when the stock falls to it; 0 never tells.
    low_stock_threshold = models.IntegerField(default=0, db_default=0)
    active = models.BooleanField(default=True)
    category = models.ForeignKey(
        Category, null=True, on_delete=models.PROTECT, related_name="products"
    )
    rating_average = models.DecimalField(max_digits=3, decimal_places=2, default=0, db_default=0)
    rating_count = models.IntegerField(default=0, db_default=0)
    #: The file that lists show; services/images.py keeps it that of the first image.
    image = models.CharField(max_length=60, default="", blank=True, db_default="")
    #: Of the last 30 days (services/recommendations/popularity.py).
    popularity = models.IntegerField(default=0, db_default=0)
    version = models.IntegerField(default=1)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "product"
        constraints = [
            models.CheckConstraint(condition=Q(stock__gte=0), name="product_stock_not_negative"),
            models.CheckConstraint(condition=Q(price__gte=0), name="product_price_not_negative"),
            models.CheckConstraint(
                condition=Q(low_stock_threshold__gte=0), name="product_threshold_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(compare_at_price__isnull=True) | Q(compare_at_price__gt=F("price")),
                name="product_compare_at_price_above_price",
            ),
            # A deleted product's number is free again: a person has it on a label, not in a link.
            models.UniqueConstraint(
                fields=["sku"],
                name="product_sku_once",
                condition=~Q(sku="") & Q(deleted_at__isnull=True),
            ),
            models.CheckConstraint(
                condition=Q(currency__in=CURRENCIES), name="product_currency_known"
            ),
            models.CheckConstraint(
                condition=Q(deleted_at__isnull=True) | Q(active=False),
                name="product_deleted_is_inactive",
            ),
        ]
        # One index for each order that the list offers; the id makes each a total order, as keyset
        # pages need.
        indexes = [
            models.Index(
                fields=["-created_at", "-id"], name="product_by_newest", condition=Q(active=True)
            ),
            # Staff's lists, which have those that are not for sale.
            models.Index(
                fields=["-created_at", "-id"],
                name="product_by_newest_of_all",
                condition=Q(deleted_at__isnull=True),
            ),
            models.Index(
                fields=["-rating_average", "-id"],
                name="product_by_rating",
                condition=Q(active=True),
            ),
            models.Index(
                fields=["-popularity", "-id"],
                name="product_by_popularity",
                condition=Q(active=True),
            ),
            models.Index(fields=["id"], name="product_popular", condition=Q(popularity__gt=0)),
            models.Index(fields=["price", "id"], name="product_by_price", condition=Q(active=True)),
            models.Index(
                Collate("name", BY_LANGUAGE),
                "id",
                name="product_by_name_collated",
                condition=Q(active=True),
            ),
            models.Index(
                fields=["category", "-created_at", "-id"],
                name="product_by_category",
                condition=Q(active=True),
            ),
            GinIndex(fields=["document"], name="product_by_document"),
            GinIndex(fields=["attributes"], name="product_by_attributes"),
        ]

    def __str__(self) -> str:
        return self.slug


class SearchWord(models.Model):
    """A word of a product's name in any language: what a misspelt word is compared with.

    Few next to the products, so that typing errors cost a search the same however many there are
    (PostgreSQL manual, F.35.5). It only grows.
    """

    word = models.CharField(primary_key=True, max_length=200)

    class Meta:
        db_table = "search_word"
        indexes = [GinIndex(OpClass("word", name="gin_trgm_ops"), name="search_word_by_part")]

    def __str__(self) -> str:
        return self.word
