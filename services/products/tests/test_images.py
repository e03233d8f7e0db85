"""Images of products: what staff send is checked by its content, re-encoded, and kept in order."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from PIL import Image
from uuid_utils.compat import uuid7

from products.errors import TooManyImages
from products.models import Product, ProductImage
from products.services import image_files, images
from products.services.products import delete_product
from products.tasks import delete_orphaned_images, make_missing_thumbnails, make_thumbnails
from servicekit.testing.client import Caller, decoded, problem
from servicekit.testing.deliver import outbox_events
from servicekit.testing.races import at_once
from tests.factories import make_product
from tests.pictures import (
    ORIENTATION,
    frames,
    gif_of_many_frames,
    picture,
    png_bomb,
    read,
    webp_bomb,
)

MIB = 1024 * 1024
OLD = time.time() - 2 * 24 * 3600
PHOTO = picture(1_200, 800, format="JPEG")
BAD = {
    "nothing": (b"", 415, "unsupported_image"),
    "text": (b"I am a picture.", 415, "unsupported_image"),
    "html": (b"<html><script>alert(1)</script></html>", 415, "unsupported_image"),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg" onload="a()"/>', 415, "unsupported_image"),
    "fits": (b"SIMPLE  =                    T".ljust(2_880), 415, "unsupported_image"),
    "html before a picture": (b"<script></script>" + picture(), 415, "unsupported_image"),
    "gif of 100,000 frames": (gif_of_many_frames(100_000), 415, "unsupported_image"),
    "animated png": (frames(3, format="PNG"), 422, "several_frames"),
    "animated webp": (frames(3, format="WEBP"), 422, "several_frames"),
    "bomb": (png_bomb(50_000, 50_000), 422, "too_many_pixels"),
    "bomb of webp": (webp_bomb(16_383, 16_383), 422, "too_many_pixels"),
    "20,000 pixels": (png_bomb(20_000, 1), 422, "too_many_pixels"),
    "truncated jpeg": (PHOTO[: len(PHOTO) // 2], 422, "damaged"),
    "truncated png": (picture(300, 300)[:-40], 422, "damaged"),
    "no pixels": (webp_bomb(100, 100), 422, "damaged"),
}


@pytest.fixture(autouse=True)
def media(tmp_path: Path, settings: Any, set_kit: Any) -> Path:
    """The folder of the images; jobs are lost, unless a test has a broker."""
    options = {"location": str(tmp_path / "media"), "base_url": "/media/"}
    storage = {**settings.STORAGES["default"], "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "default": storage}
    set_kit(jobs_broker_url="amqp://nobody@127.0.0.1:1/none")
    return tmp_path / "media"


def path_of(product: Product, image_id: object = "") -> str:
    return f"/api/products/{product.pk}/images/" + (f"{image_id}/" if image_id else "")


def send(
    caller: Caller, product: Product, content: bytes = PHOTO, query: str = "", **headers: str
) -> Any:
    options = {"content_type": "image/jpeg", **headers}
    return caller.post(path_of(product) + query, raw=content, **options)


def make_image(product: Product, **options: Any) -> ProductImage:
    return images.add_image(product_id=product.pk, content=picture(**options))


def files_in(folder: Path) -> list[str]:
    found = folder.rglob("*") if folder.exists() else []
    return sorted(str(path.relative_to(folder)) for path in found if path.is_file())


def file_of(address: str) -> str:
    return address.removeprefix("/media/")


def ids_of(product: Product) -> list[UUID]:
    rows = ProductImage.objects.filter(product=product).order_by("position")
    assert [row.position for row in rows] == list(range(len(rows)))
    return [row.pk for row in rows]


def run_python(code: str) -> str:
    search = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": search},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.django_db
def test_image_that_staff_send_is_shown_to_everybody(
    staff: Caller, nobody: Caller, media: Path
) -> None:
    product = make_product()

    answer = send(staff, product, query="?alt=A%20white%20lantern")

    body = decoded(answer, 201)
    assert answer["Location"] == path_of(product, body["id"])
    assert (body["alt"], body["width"], body["height"]) == ("A white lantern", 1_200, 800)
    assert files_in(media) == [file_of(body["url"])]
    assert (media / file_of(body["url"])).stat().st_size == body["bytes"]
    assert set(body["thumbnails"].values()) == {body["url"]}
    assert decoded(nobody.get(path_of(product))) == {"results": [body]}
    assert decoded(nobody.get(path_of(product, body["id"]))) == body
    read_product = decoded(nobody.get(f"/api/products/{product.pk}/"))
    assert (read_product["image"], read_product["images"]) == (body["url"], [body])


@pytest.mark.django_db
@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_good_image_is_refused_and_leaves_nothing(
    staff: Caller, media: Path, kind: str
) -> None:
    product = make_product()
    before = outbox_events()
    content, status, code = BAD[kind]

    answer = send(staff, product, content, content_type="image/png")

    refusal = problem(answer, status)
    codes = {refusal["code"], *(error["code"] for error in refusal.get("errors", []))}
    assert code in codes
    assert ids_of(product) == files_in(media) == []
    assert outbox_events() == before


@pytest.mark.django_db
def test_body_above_ten_mebibytes_is_413(staff: Caller, media: Path) -> None:
    product = make_product()
    padding = bytes(10 * MIB - len(PHOTO))

    problem(send(staff, product, PHOTO + padding + b"0"), 413, "body_too_large")
    assert files_in(media) == []

    decoded(send(staff, product, PHOTO + padding), 201)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "content_type", ["multipart/form-data; boundary=x", "application/json", "text/html", ""]
)
def test_body_of_another_kind_is_415(staff: Caller, media: Path, content_type: str) -> None:
    product = make_product()

    answer = send(staff, product, content_type=content_type)

    problem(answer, 415, "unsupported_media_type")
    assert answer["Accept"] == "image/*"
    assert files_in(media) == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    "body", [{"url": f"http://{host}/"} for host in ("127.0.0.1", "169.254.169.254", "users-web")]
)
def test_image_is_never_fetched_from_an_address(staff: Caller, body: Any, media: Path) -> None:
    product = make_product()

    problem(staff.post(path_of(product), body), 415, "unsupported_media_type")
    problem(send(staff, product, query="?url=file:///etc/passwd"), 400, "invalid")

    assert files_in(media) == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name", ["../../x.png", "x\\0.png", "x" * 500, "con", ".htaccess", "gpj.\u202egnp"]
)
def test_name_that_a_client_gives_is_never_used(staff: Caller, media: Path, name: str) -> None:
    product = make_product()

    answer = send(staff, product, Content_Disposition=f'attachment; filename="{name}"')

    file = file_of(decoded(answer, 201)["url"])
    assert image_files.OF_AN_IMAGE.fullmatch(Path(file).name)
    assert files_in(media.parent) == [f"media/{file}"]


@pytest.mark.django_db
def test_image_is_kept_upright_and_without_what_else_the_file_holds(
    staff: Caller, media: Path
) -> None:
    product = make_product()
    exif = Image.Exif()
    exif[ORIENTATION], exif[0x010E] = 6, "SECRET" * 1_000  # turned by 90 degrees; a description
    content = picture(64, 32, format="JPEG", exif=exif, comment=b"SECRET", icc_profile=b"SECRET")

    body = decoded(send(staff, product, content + b"<script>SECRET</script>"), 201)

    kept = (media / file_of(body["url"])).read_bytes()
    assert (body["width"], body["height"]) == (32, 64)
    assert b"SECRET" not in kept
    image = read(kept)
    assert (image.format, image.size, dict(image.getexif())) == ("WEBP", (32, 64), {})
    top, bottom = image.getpixel((16, 8)), image.getpixel((16, 56))
    assert isinstance(top, tuple)
    assert isinstance(bottom, tuple)
    assert top[0] > 200 > bottom[0]


@pytest.mark.django_db
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_every_kind_of_pixels_is_taken(staff: Caller, mode: str) -> None:
    content = picture(mode=mode, format="PNG")

    decoded(send(staff, make_product(), content, content_type="image/png"), 201)


@pytest.mark.django_db
def test_large_image_is_made_smaller(staff: Caller) -> None:
    body = decoded(send(staff, make_product(), picture(4_096, 1_024, format="JPEG")), 201)

    assert (body["width"], body["height"]) == (2_048, 512)


@pytest.mark.django_db
def test_only_staff_write_images(customer: Caller, nobody: Caller, media: Path) -> None:
    product = make_product()
    image = make_image(product)
    before = files_in(media)

    for caller, status in ((nobody, 401), (customer, 403)):
        problem(send(caller, product), status)
        problem(caller.patch(path_of(product, image.pk), {"alt": "x"}), status)
        problem(caller.delete(path_of(product, image.pk)), status)

    image.refresh_from_db()
    assert (ids_of(product), image.alt, files_in(media)) == ([image.pk], "", before)


@pytest.mark.django_db
def test_images_of_a_product_that_cannot_be_seen_are_404(
    customer: Caller, staff: Caller, media: Path
) -> None:
    hidden, deleted = make_product(active=False), make_product()
    image = make_image(hidden)
    delete_product(product_id=deleted.pk)

    problem(customer.get(path_of(hidden)), 404)
    problem(customer.get(path_of(hidden, image.pk)), 404)
    problem(staff.get(path_of(deleted)), 404)
    problem(send(staff, deleted), 404)
    problem(staff.get(path_of(make_product(), image.pk)), 404)

    decoded(staff.get(path_of(hidden, image.pk)))
    assert len(files_in(media)) == 1


@pytest.mark.django_db
def test_image_that_moves_makes_the_others_make_room(staff: Caller, nobody: Caller) -> None:
    product = make_product()
    first, second, third = (make_image(product) for _ in range(3))

    moved = decoded(staff.patch(path_of(product, third.pk), {"position": 0, "alt": "Back"}))

    assert (moved["position"], moved["alt"]) == (0, "Back")
    assert ids_of(product) == [third.pk, first.pk, second.pk]
    assert decoded(nobody.get(f"/api/products/{product.pk}/"))["image"] == moved["url"]
    decoded(staff.patch(path_of(product, third.pk), {"position": 19}))
    assert ids_of(product) == [first.pk, second.pk, third.pk]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "pointer"),
    [({"position": 20}, "/position"), ({"position": -1}, "/position"),
     ({"position": "1"}, "/position"), ({"alt": "x" * 301}, "/alt"), ({"alt": "\u202e"}, "/alt"),
     ({"url": "x"}, "/url")],
)  # fmt: skip
def test_change_that_is_not_valid_is_refused(staff: Caller, body: Any, pointer: str) -> None:
    product = make_product()
    image = make_image(product)

    problem(staff.patch(path_of(product, image.pk), body), 400, "invalid", pointer)

    image.refresh_from_db()
    assert (image.position, image.alt) == (0, "")


@pytest.mark.django_db
def test_deleted_image_is_gone_and_its_file_a_day_later(
    staff: Caller, nobody: Caller, media: Path
) -> None:
    product = make_product()
    first, second = make_image(product), make_image(product)

    assert staff.delete(path_of(product, first.pk)).status_code == 204

    problem(staff.delete(path_of(product, first.pk)), 404)
    assert ids_of(product) == [second.pk]
    read_product = decoded(nobody.get(f"/api/products/{product.pk}/"))
    assert read_product["image"] == f"/media/{second.name}"
    assert delete_orphaned_images() == 0
    os.utime(media / first.name, (OLD, OLD))
    assert delete_orphaned_images() == 1
    assert files_in(media) == [second.name]


@pytest.mark.django_db
def test_images_of_a_deleted_product_are_gone(media: Path) -> None:
    product = make_product()
    make_image(product)

    delete_product(product_id=product.pk)

    assert ids_of(product) == []


@pytest.mark.django_db
def test_clean_up_leaves_what_is_named_or_young_or_not_ours(media: Path) -> None:
    image = make_image(make_product(), width=1_000)
    make_thumbnails(str(image.pk))
    named = files_in(media)
    lost, stray = f"{'ab/' + 'c' * 32}.webp", "ab/notes.txt"
    for file in (lost, f"{'ab/' + 'd' * 32}-480.webp", stray):
        (media / file).parent.mkdir(exist_ok=True)
        (media / file).write_bytes(b"x")
    for file in (*named, lost, stray):
        os.utime(media / file, (OLD, OLD))

    assert delete_orphaned_images() == 1

    assert set(files_in(media)) == {*named, stray, f"{'ab/' + 'd' * 32}-480.webp"}


@pytest.mark.django_db
def test_thumbnails_are_made_once_and_shown_in_lists(nobody: Caller, media: Path) -> None:
    product = make_product()
    image = make_image(product, width=1_200, height=800)
    tag = nobody.get(f"/api/products/{product.pk}/")["ETag"]

    assert make_thumbnails(str(image.pk))
    assert not make_thumbnails(str(image.pk))

    (body,) = decoded(nobody.get(path_of(product)))["results"]
    sizes = {
        width: read((media / file_of(address)).read_bytes()).size
        for width, address in body["thumbnails"].items()
    }
    assert sizes == {"160": (160, 107), "480": (480, 320), "960": (960, 640)}
    (row,) = decoded(nobody.get("/api/products/"))["results"]
    assert row["image"] == body["thumbnails"]["480"]
    assert nobody.get(f"/api/products/{product.pk}/")["ETag"] != tag


@pytest.mark.django_db
def test_thumbnails_of_a_small_image_are_no_larger_than_it(media: Path) -> None:
    image = make_image(make_product(), width=200, height=100)

    make_thumbnails(str(image.pk))

    image.refresh_from_db()
    widths = [read((media / image.thumbnail(width)).read_bytes()).width for width in (160, 480)]
    assert widths == [160, 200]


@pytest.mark.django_db
def test_thumbnails_whose_job_was_lost_are_made_by_the_sweep(media: Path) -> None:
    product = make_product()
    lost, young, broken = (make_image(product) for _ in range(3))
    (media / broken.name).unlink()
    old = ProductImage.objects.exclude(pk=young.pk)
    old.update(created_at="2026-01-01T00:00:00Z")

    assert make_missing_thumbnails() == 1

    made = ProductImage.objects.exclude(thumbnails="")
    assert list(made.values_list("pk", flat=True)) == [lost.pk]


@pytest.mark.django_db(transaction=True)
def test_upload_asks_a_worker_for_the_thumbnails(
    staff: Caller, broker_url: str, broker_admin: Any, vhost: str, set_kit: Any
) -> None:
    set_kit(jobs_broker_url=broker_url)

    image_id = decoded(send(staff, make_product()), 201)["id"]

    options = {"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"}
    (job,) = broker_admin.call("POST", f"/queues/{vhost}/products.celery/get", options)
    assert job["properties"]["headers"]["task"] == "products.make_thumbnails"
    assert image_id in job["payload"]


@pytest.mark.django_db
def test_twenty_first_image_is_refused(staff: Caller, media: Path) -> None:
    product = make_product()
    for _ in range(20):
        make_image(product)

    problem(send(staff, product), 409, "too_many_images")

    assert len(ids_of(product)) == len(files_in(media)) == 20


@pytest.mark.django_db(transaction=True)
def test_images_that_come_at_once_are_twenty_at_most_in_one_order() -> None:
    product = make_product()
    for _ in range(18):
        make_image(product)

    outcomes = at_once(*[lambda: make_image(product)] * 4)

    assert len(ids_of(product)) == 20
    assert sum(isinstance(outcome, TooManyImages) for outcome in outcomes) == 2


@pytest.mark.django_db(transaction=True)
def test_moves_and_deletions_at_once_leave_one_order() -> None:
    product = make_product()
    made = [make_image(product) for _ in range(6)]

    def move(image: ProductImage) -> None:
        changes = {"position": 0}
        images.edit_image(product_id=product.pk, image_id=image.pk, changes=changes)

    at_once(
        lambda: move(made[4]),
        lambda: move(made[5]),
        lambda: images.delete_image(product_id=product.pk, image_id=made[0].pk),
        lambda: images.delete_image(product_id=product.pk, image_id=made[1].pk),
    )

    assert sorted(ids_of(product)) == sorted(image.pk for image in made[2:])
    product.refresh_from_db()
    first = ProductImage.objects.get(product=product, position=0)
    assert product.image == first.name


@pytest.mark.django_db
def test_positions_are_kept_by_the_database() -> None:
    product = make_product()
    image = make_image(product)

    for position in (-1, 20):
        with pytest.raises(IntegrityError), transaction.atomic():
            ProductImage.objects.filter(pk=image.pk).update(position=position)


@pytest.mark.django_db
def test_page_of_products_with_images_is_as_many_queries_as_one(nobody: Caller) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            decoded(nobody.get("/api/products/"))
        return len(seen)

    make_image(make_product())
    one = queries()
    for _ in range(9):
        make_image(make_product())

    assert queries() == one


@pytest.mark.django_db
def test_storage_that_is_full_is_503_and_leaves_no_row(staff: Caller, media: Path) -> None:
    product = make_product()
    media.write_bytes(b"a file where the folder would be")

    answer = send(staff, product)

    problem(answer, 503, "service_unavailable")
    assert answer["Retry-After"]
    assert ids_of(product) == []


@pytest.mark.django_db
def test_upload_to_a_product_that_does_not_exist_is_404_before_it_is_read(staff: Caller) -> None:
    answer = staff.post(f"/api/products/{uuid7()}/images/", raw=b"x", content_type="image/png")

    problem(answer, 404)


def test_bomb_is_refused_in_little_memory() -> None:
    """In a process of its own: the peak of this one is of other tests."""
    code = """
import resource, sys
import django; django.setup()
from products.errors import InvalidImage
from products.services import pictures
from tests.pictures import png_bomb, webp_bomb
bombs = [png_bomb(50_000, 50_000), webp_bomb(16_383, 16_383)]
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
before = peak()
for bomb in bombs * 5:
    try: pictures.reencode(bomb)
    except InvalidImage: continue
    sys.exit("taken")
print(peak() - before)
"""
    grown_mib = int(run_python(code))

    assert grown_mib < 20
