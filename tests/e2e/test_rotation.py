"""The signing key changes under traffic: nobody is logged out. On a fresh shop this waits 90 s, since a key is published before it signs. RUNTIME says how the shop runs, and so whose command rotates the key."""

import os
import subprocess
import sys
import threading
import time

import pytest
from harness import wait_until

from shopper.ops import ROOT

MANAGE = [sys.executable, str(ROOT / "deploy" / "runtime"), "run", "users", "--", "python", "manage.py"]
ROTATE = [*MANAGE, "rotate_signing_key", "--wait"]

# A shop that rotated a moment ago must wait until the key before is over; tokens live shorter than that.
RENEW_SECONDS = 100


@pytest.fixture
def rotate():
    if not os.environ.get("RUNTIME"):
        pytest.skip("RUNTIME is not set, as `make e2e` sets it: the shop may be anybody's")
    return lambda: subprocess.run(ROTATE, check=True, capture_output=True, timeout=420)


def refresh(shop, person):
    tokens = shop.call("POST", "/api/auth/refresh/", json={"refresh_token": person.refresh}).json()
    person.access, person.refresh = tokens["access_token"], tokens["refresh_token"]


def key_ids(shop):
    return {key["kid"] for key in shop.call("GET", "/.well-known/jwks.json").json()["keys"]}


def test_rotation_refuses_no_valid_token(shop, customer, rotate):
    before = key_ids(shop)
    refused, done = [], threading.Event()

    def keep_reading() -> None:
        renew_at = time.monotonic() + RENEW_SECONDS
        while not done.is_set():
            if time.monotonic() > renew_at:
                refresh(shop, customer)
                renew_at = time.monotonic() + RENEW_SECONDS
            for path in ("/api/users/me/", "/api/orders/?page_size=1"):
                status = shop.call("GET", path, customer).status_code
                if status != 200:
                    refused.append((path, status))

    reader = threading.Thread(target=keep_reading)
    reader.start()
    try:
        rotate()
        wait_until(lambda: key_ids(shop) - before, seconds=30, what="a new key is published")
        fresh = shop.log_in(customer.email, customer.password)
        status = shop.call("GET", "/api/orders/", fresh).status_code
    finally:
        done.set()
        reader.join()

    assert refused == []
    assert status == 200
