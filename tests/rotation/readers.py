"""Customers who read without a pause, and use each access token until it is over."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jwt
from harness import Person, Shop

PATHS = ("/api/users/me/", "/api/orders/?page_size=1", "/api/products/?page_size=1")


class Reader:
    """One customer: what each path answered, and what was refused while the token was good."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._person: Person = shop.register()
        self.answers: Counter[int] = Counter()
        self.refused: list[tuple[str, int, str]] = []
        self.key_ids: set[str] = set()

    def read_until(self, done: threading.Event) -> None:
        while not done.is_set():
            until = self._renew()
            while time.time() < until and not done.wait(0.01):
                for path in PATHS:
                    self._read(path, until)

    def _renew(self) -> float:
        """Take a new token; return when it is over."""
        body = {"refresh_token": self._person.refresh}
        answer = self._shop.call("POST", "/api/auth/refresh/", json=body)
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        self._person.access = tokens["access_token"]
        self._person.refresh = tokens["refresh_token"]
        self.key_ids.add(jwt.get_unverified_header(self._person.access)["kid"])
        claims = jwt.decode(self._person.access, options={"verify_signature": False})
        return float(claims["exp"])

    def _read(self, path: str, until: float) -> None:
        answer = self._shop.call("GET", path, self._person)
        # On a busy machine a request may end long after it was sent.
        if time.time() < until:
            self.answers[answer.status_code] += 1
            if answer.status_code != 200:
                self.refused.append((path, answer.status_code, answer.text[:300]))


@contextmanager
def reading(readers: list[Reader]) -> Iterator[None]:
    """Let them read for the length of the block."""
    done = threading.Event()
    threads = [threading.Thread(target=reader.read_until, args=(done,)) for reader in readers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()
