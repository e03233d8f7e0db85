"""The signing key changes under traffic: nobody is logged out. Needs the native runtime, whose command rotates the key."""

import subprocess
import sys
import threading

import pytest
from harness import wait_until

from shopper.ops import ROOT

ROTATE = [sys.executable, str(ROOT / "deploy" / "native"), "rotate-keys"]


@pytest.fixture
def rotate(ops):
    if not (ops.state / "env" / "ops.env").exists():
        pytest.skip("the shop is not a native stack of this checkout")
    return lambda: subprocess.run(ROTATE, check=True, capture_output=True, timeout=120)


def key_ids(shop):
    return {key["kid"] for key in shop.call("GET", "/.well-known/jwks.json").json()["keys"]}


def test_rotation_refuses_no_valid_token(shop, customer, rotate):
    before = key_ids(shop)
    refused, done = [], threading.Event()

    def keep_reading() -> None:
        while not done.is_set():
            for path in ("/api/users/me/", "/api/orders/?page_size=1"):
                status = shop.call("GET", path, customer).status_code
                if status != 200:
                    refused.append((path, status))

    reader = threading.Thread(target=keep_reading)
    reader.start()
    try:
        rotate()
        wait_until(lambda: key_ids(shop) - before, seconds=90, what="a new key is published")
        fresh = shop.log_in(customer.email, customer.password)
        status = shop.call("GET", "/api/orders/", fresh).status_code
    finally:
        done.set()
        reader.join()

    assert refused == []
    assert status == 200
