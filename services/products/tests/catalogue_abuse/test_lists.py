"""Hostile queries of the catalogue: C5 to C11 and C24 of the list of hostile input.

What cannot be read is refused as a problem; everything else is text
and finds nothing that it should not.
"""

import base64
from urllib.parse import quote, urlencode

import pytest

from servicekit.testing.client import Caller, decoded, problem
from tests.catalogue_abuse.state import PATH, nothing_changes
from tests.factories import make_product

PRIVATE = ("low_stock_threshold", "deleted_at", "cost", "supplier")

TEXTS = [
    "a", "%", "_", "\\", "%_\\", "'",
    '"', "' OR 1=1--", "'); DROP TABLE product;--", "&", "|", "!", "a & ! b",
    "a:*", "<->", "a <2> b", "()", "(", ":*", "\U0001f4a1", "\u202e", "\u200d", "a" * 100,
    "l\u00e4mp", "la\u0308mp", "${7*7}", "{{7*7}}", "../../etc/passwd", "\r\nX-Evil: 1",
]  # fmt: skip
# Refused by the decoding of the address: NUL, a lone surrogate, what is no UTF-8.
UNREADABLE = ["", "%00", "a%00b", "%ED%A0%80", "%FF", "a" * 10**5]


@pytest.mark.django_db
@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_c5_search_is_text_and_nothing_else(nobody: Caller, text: str) -> None:
    make_product(name="Unrelated")

    with nothing_changes():
        answer = nobody.get(f"{PATH}?{urlencode({'search': text})}")

    if answer.status_code != 200:
        problem(answer, 400)
        return
    found = [row["name"] for row in decoded(answer)["results"]]
    assert found == [] or text == "a"


@pytest.mark.django_db
@pytest.mark.parametrize("text", UNREADABLE, ids=lambda text: text[:20] or "empty")
def test_c5_search_that_cannot_be_read_is_400(nobody: Caller, text: str) -> None:
    problem(nobody.get(f"{PATH}?search={text}"), 400)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text", ["(a+)+$", "^(a|a)*$", "(.*)*x", "[", "(?P<n>a)", "a{1,99999}", "\\d+"]
)
def test_c6_regular_expression_is_text(nobody: Caller, text: str) -> None:
    make_product(name="b" * 100)
    make_product(name="12345")

    assert decoded(nobody.get(f"{PATH}?search={quote(text)}"))["results"] == []


BAD = {
    "c7": [
        "min_price=2&max_price=1", "price[gte]=abc", "price%5Bgte%5D=1", "min_price=abc",
        "min_price=-1",
        "min_price=NaN", "max_price=Infinity", "max_price=1e9", "min_price=1,00",
        "min_price=1&min_price=2",
        "&".join(f"category=c{number}" for number in range(500)), "category=a&category=b",
        "in_stock=1", "in_stock=TRUE", "in_stock=", "category=%00", "slug=%00",
    ],
    "c8": [
        "ordering=cost", "ordering=supplier", "ordering=stock", "ordering=deleted_at",
        "ordering=id",
        "ordering=?", "ordering=random", "ordering=-", "ordering=price,-name",
        "ordering=price%20desc",
        "ordering=price;DROP", "ordering=category__name", "ordering=",
        "ordering=price&ordering=name",
        "sort=price", "order_by=price",
    ],
    "c9": [
        "category__products__price__gt=1", "category__slug=x", "name__icontains=a", "price__gte=1",
        "stock__gt=0", "alerts__stock=0", "_connector=OR", "id__in=1,2", "pk=1",
        "deleted_at__isnull=true",
        "reviews__customer_id=1", "movements__by=1", "version=1",
    ],
    "c10": [
        "page=1000000", "offset=1000000", "limit=1000000", "page_size=0", "page_size=-1",
        "page_size=101", "page_size=1000000", "page_size=1e2", "page_size=%2B5", "page_size=abc",
        "page_size=\u0665", "page_size=5&page_size=6", "cursor=", "cursor=x", "cursor=%00",
        "cursor=" + "A" * 10_000,
        "cursor=" + base64.urlsafe_b64encode(b'["-created_at,-id","2020-01-01","1"]').decode(),
        "cursor=" + base64.urlsafe_b64encode(b'["-cost,-id","1","1"]').decode(),
    ],
    "c11": [
        "fields=low_stock_threshold", "fields=*", "include=alerts", "expand=category",
        "exclude=name",
        "format=api", "format=xml", "callback=alert", "depth=9", "low_stock=true", "active=false",
    ],
}  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("row", "query"),
    [(row, query) for row, queries in BAD.items() for query in queries],
    ids=lambda text: text[:40],
)
def test_c7_to_c11_query_that_is_not_ours_is_400(nobody: Caller, row: str, query: str) -> None:
    make_product()

    with nothing_changes():
        body = problem(nobody.get(f"{PATH}?{query}"), 400)

    assert not [name for name in PRIVATE if f'"{name}":' in str(body)]


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["fields=cost", "include=alerts", "expand=category", "search=a"])
def test_c11_parameter_of_one_product_is_400(nobody: Caller, query: str) -> None:
    problem(nobody.get(f"{PATH}{make_product().pk}/?{query}"), 400)


@pytest.mark.django_db
def test_c11_nothing_private_is_in_what_everybody_reads(nobody: Caller) -> None:
    product = make_product(low_stock_threshold=3)

    rows = [*decoded(nobody.get(PATH))["results"], decoded(nobody.get(f"{PATH}{product.pk}/"))]

    assert [name for row in rows for name in PRIVATE if name in row] == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    "headers",
    [
        {"If-Modified-Since": "yesterday"}, {"If-Modified-Since": "Thu, 99 Foo 9999 99:99:99 GMT"},
        {"If-Modified-Since": "Fri, 27 Nov 2026 12:00:00 GMT"}, {"If-Unmodified-Since": "0"},
        {"If-Range": '"1-1"'}, {"Range": "bytes=0-5"}, {"If-None-Match": '"other"'},
        {"If-None-Match": 'W/"1-999999999999999999999"'},
    ],
    ids=str,
)  # fmt: skip
def test_c24_condition_that_means_nothing_is_ignored(
    nobody: Caller, headers: dict[str, str]
) -> None:
    product = make_product()

    answer = nobody.get(f"{PATH}{product.pk}/", **headers)

    assert decoded(answer)["id"] == str(product.pk)


@pytest.mark.django_db
@pytest.mark.parametrize("tag", ["x", '"x', "'x'", "W/", '"a" "b"', "\x01", '"' + "a" * 5000 + '"'])
def test_c24_tag_that_is_no_tag_is_no_match(nobody: Caller, staff: Caller, tag: str) -> None:
    product = make_product()
    path = f"{PATH}{product.pk}/"

    answer = nobody.get(path, **{"If-None-Match": tag})
    assert answer.status_code in {200, 400}

    with nothing_changes():
        answer = staff.patch(path, {"name": "New"}, **{"If-Match": tag})
        problem(answer, answer.status_code)
    assert answer.status_code in {400, 412}
