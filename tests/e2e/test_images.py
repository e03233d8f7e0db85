"""An image from staff to the customer's browser: kept, made smaller, served by the gateway."""

import struct
import zlib

from harness import Person, Shop, assert_problem, wait_until


def png(width: int, height: int) -> bytes:
    """Return a grey picture."""

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x80" * width) * height)
    chunks = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def test_image_is_kept_made_smaller_and_served(shop: Shop, staff: Person, customer: Person) -> None:
    product = shop.add_product(staff)
    path = f"/api/products/{product['id']}/images/"
    headers = {"Content-Type": "image/png"}

    made = shop.call("POST", path, staff, content=png(1_000, 500), headers=headers)

    assert made.status_code == 201, made.text
    image = made.json()
    thumbnail = wait_until(
        lambda: (
            shown
            if (shown := shop.call("GET", f"/api/products/{product['id']}/").json()["image"])
            != image["url"]
            else None
        ),
        what="the thumbnails are made",
    )
    for address in (image["url"], thumbnail):
        served = shop.http.get(address)
        assert (served.status_code, served.content[8:12]) == (200, b"WEBP")
        assert served.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    refused = shop.call("POST", path, customer, content=png(10, 10), headers=headers)
    assert_problem(refused, 403)


def test_bomb_leaves_nothing(shop: Shop, staff: Person) -> None:
    product = shop.add_product(staff)
    path = f"/api/products/{product['id']}/images/"
    headers = {"Content-Type": "image/png"}

    bomb = shop.call("POST", path, staff, content=png(20_000, 2_000), headers=headers)

    assert assert_problem(bomb, 422)["code"] == "invalid_image"
    assert shop.call("GET", path).json() == {"results": []}
