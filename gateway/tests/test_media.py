"""Images of products: files that nginx serves by itself, to be kept for ever."""

import pytest
from harness.client import assert_problem, parse, send_raw
from harness.nginx import Gateway, Services, wait_until

NAME = "ab/" + "0123456789abcdef" * 2
FILE = f"{NAME}-480.webp"
CONTENT = b"RIFF....WEBPVP8 "
KEPT_FOR_EVER = "public, max-age=31536000, immutable"


@pytest.fixture(autouse=True)
def files(gateway: Gateway) -> None:
    (gateway.media / "ab").mkdir(parents=True, exist_ok=True)
    for file in (FILE, f"{NAME}.webp", "ab/.hidden.webp", ".env", f"{NAME}.html"):
        (gateway.media / file).write_bytes(CONTENT)


@pytest.mark.parametrize("file", [FILE, f"{NAME}.webp"])
def test_image_is_served_to_everybody_and_kept_for_ever(
    gateway: Gateway, services: Services, file: str
) -> None:
    answered = gateway.get(f"/media/{file}")

    assert (answered.status, answered.body) == (200, CONTENT)
    assert answered.headers["Content-Type"] == "image/webp"
    assert answered.headers.get_all("Cache-Control") == [KEPT_FOR_EVER]
    assert answered.headers.get_all("X-Content-Type-Options") == ["nosniff"]
    (policy,) = answered.headers.get_all("Content-Security-Policy")
    assert policy.startswith("sandbox; default-src 'none'")
    assert answered.headers["X-Request-ID"]
    assert services.seen() == 0


def test_head_and_known_image_have_no_body(gateway: Gateway) -> None:
    head = gateway.request("HEAD", f"/media/{FILE}")
    known = gateway.request("GET", f"/media/{FILE}", {"If-None-Match": head.headers["ETag"]})

    assert (head.status, head.headers["Content-Length"]) == (200, str(len(CONTENT)))
    assert (known.status, known.body) == (304, b"")
    assert known.headers["Cache-Control"] == KEPT_FOR_EVER


@pytest.mark.parametrize(
    "path",
    [
        "", "ab", "ab/", "ab/.hidden.webp", ".env", f"{NAME}.html", f"{NAME}", f"{FILE}/",
        f"{FILE}.webp", f"{NAME}-480.WEBP", f"{NAME}-48000.webp", f"cd/{NAME[3:]}.webp",
    ],
)  # fmt: skip
def test_what_is_no_image_is_404_and_not_kept(
    gateway: Gateway, services: Services, path: str
) -> None:
    answered = gateway.get(f"/media/{path}")

    assert_problem(answered, 404, "not_found")
    assert answered.headers.get_all("Cache-Control") == ["no-store"]
    assert services.seen() == 0


@pytest.mark.parametrize("path", [f"../media/{FILE}", "%2e%2e/nginx.conf", f"ab%2f{NAME[3:]}.webp"])
def test_path_out_of_the_folder_is_400(gateway: Gateway, path: str) -> None:
    request = f"GET /media/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

    assert_problem(parse(send_raw(gateway.port, request.encode())), 400)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nobody_writes_images_there(gateway: Gateway, method: str) -> None:
    answered = gateway.request(method, f"/media/{FILE}")

    assert_problem(answered, 405)
    assert answered.headers["Allow"] == "GET,HEAD"
    assert (gateway.media / FILE).read_bytes() == CONTENT


def test_answers_of_services_are_not_kept_as_before(gateway: Gateway) -> None:
    answered = gateway.get("/api/products/")

    assert answered.headers.get_all("Cache-Control") == ["no-store"]
    assert answered.headers["Content-Security-Policy"].startswith("default-src 'none'")
    wait_until(lambda: gateway.logged(answered), "its line in the log")
