"""What products and categories are called in the language that a client asks for."""

from typing import Any

import pytest

from products.services.categories import create_category
from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import outbox_events
from tests.factories import make_product

PATH = "/api/products/"
GERMAN = {"de": {"name": "Laterne", "description": "Für Kerzen."}}


@pytest.fixture
def lantern(db: None) -> Any:
    home = create_category(slug="home", name="Home", translations={"de": {"name": "Zuhause"}})
    lamps = create_category(slug="lamps", name="Lamps", parent=home)
    return make_product(
        name="Lantern", description="For candles.", translations=GERMAN, category=lamps
    )


def test_list_and_product_are_in_the_language_that_is_asked_for(
    lantern: Any, nobody: Caller
) -> None:
    make_product(name="Chair")

    german = decoded(nobody.get(f"{PATH}?language=de&ordering=created_at"))["results"]
    english = decoded(nobody.get(f"{PATH}?language=en&ordering=created_at"))["results"]
    detail = decoded(nobody.get(f"{PATH}{lantern.pk}/?language=de"))

    assert [each["name"] for each in german] == ["Laterne", "Chair"]
    assert [each["name"] for each in english] == ["Lantern", "Chair"]
    assert english == decoded(nobody.get(f"{PATH}?ordering=created_at"))["results"]
    assert (detail["name"], detail["description"]) == ("Laterne", "Für Kerzen.")
    assert [each["name"] for each in detail["category_path"]] == ["Zuhause", "Lamps"]
    assert detail["translations"] == GERMAN


def test_translation_that_is_left_out_is_as_in_english(nobody: Caller, db: None) -> None:
    product = make_product(
        name="Lantern", description="For candles.", translations={"de": {"name": "Laterne"}}
    )

    detail = decoded(nobody.get(f"{PATH}{product.pk}/?language=de"))

    assert (detail["name"], detail["description"]) == ("Laterne", "For candles.")


def test_categories_are_in_the_language_that_is_asked_for(lantern: Any, nobody: Caller) -> None:
    listed = decoded(nobody.get("/api/categories/?language=de"))["results"]

    assert [each["name"] for each in listed] == ["Zuhause", "Lamps"]
    one = decoded(nobody.get(f"/api/categories/{listed[0]['id']}/?language=de"))
    assert (one["name"], one["translations"]) == ("Zuhause", {"de": {"name": "Zuhause"}})


@pytest.mark.parametrize("path", [PATH, "/api/categories/", f"{PATH}{{}}/"])
@pytest.mark.parametrize("language", ["fr", "DE", "de-AT", "de,en", "x" * 1000])
def test_language_that_nothing_is_in_is_refused(
    lantern: Any, nobody: Caller, path: str, language: str
) -> None:
    problem(nobody.get(f"{path.format(lantern.pk)}?language={language}"), 400, "invalid")


def test_translations_are_replaced_as_a_whole(lantern: Any, staff: Caller) -> None:
    path = f"{PATH}{lantern.pk}/"

    body = decoded(staff.patch(path, {"translations": {"de": {"description": "Neu."}}}))

    assert body["translations"] == {"de": {"description": "Neu."}}
    assert outbox_events()[-1]["data"]["translations"] == {"de": {"description": "Neu."}}
    assert decoded(staff.patch(path, {"translations": {}}))["translations"] == {}


@pytest.mark.parametrize(
    ("translations", "pointer"),
    [
        ({"fr": {"name": "X"}}, "/translations/fr"),
        ({"de": {"title": "X"}}, "/translations/de/title"),
        ({"de": {"name": " "}}, "/translations/de/name"),
        ({"de": {"name": "x" * 201}}, "/translations/de/name"),
        ({"de": {"name": "a\u202e"}}, "/translations/de/name"),
        ({"de": "X"}, "/translations/de"),
        ([], "/translations"),
        (None, "/translations"),
    ],
)
def test_wording_that_no_language_has_is_refused(
    lantern: Any, staff: Caller, translations: Any, pointer: str
) -> None:
    events = len(outbox_events())

    refusal = problem(staff.patch(f"{PATH}{lantern.pk}/", {"translations": translations}), 400)

    assert [each["pointer"].split("/non")[0] for each in refusal["errors"]] == [pointer]
    lantern.refresh_from_db()
    assert (lantern.translations, len(outbox_events())) == (GERMAN, events)
