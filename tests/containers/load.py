"""Clients that read, order and buy without a pause, and count what failed at the first try, and
after trying again.
"""

import threading
import time
import uuid
from collections import Counter
from types import TracebackType

import httpx
from harness import Person, Shop

CLIENTS = 6
RETRY_SECONDS = 60.0
PAUSE_SECONDS = 0.02
RENEW_SECONDS = 120.0


class Load:
    """`with load: …` keeps asking in the background.

    Afterwards `made`, `failed` (at the first try) and `lost` (for good) are known.
    """

    def __init__(self, shop: Shop, customer: Person, product: str) -> None:
        self.made = 0
        self.failed: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self._shop, self._customer, self._product = shop, customer, product
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> "Load":
        self._done.clear()
        self._threads = [threading.Thread(target=self._client) for _ in range(CLIENTS)]
        for thread in (*self._threads, threading.Thread(target=self._renew)):
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def __str__(self) -> str:
        return f"{self.made} requests, failed {dict(self.failed)}, lost {dict(self.lost)}"

    @property
    def failures(self) -> int:
        return self.failed.total()

    def forget(self) -> None:
        """Count from here."""
        with self._lock:
            self.made = 0
            self.failed.clear()
            self.lost.clear()

    def _renew(self) -> None:
        """A token lives five minutes."""
        while not self._done.wait(RENEW_SECONDS):
            with httpx.Client(
                base_url=self._shop.ops.gateway, timeout=20.0, trust_env=False
            ) as http:
                answer = self._answer(
                    http,
                    "POST",
                    "/api/auth/refresh/",
                    {},
                    {"refresh_token": self._customer.refresh},
                )
            if isinstance(answer, httpx.Response) and answer.is_success:
                self._customer.access = answer.json()["access_token"]
                self._customer.refresh = answer.json()["refresh_token"]

    def _client(self) -> None:
        order = {"lines": [{"product": self._product, "quantity": 1}]}
        with httpx.Client(base_url=self._shop.ops.gateway, timeout=20.0, trust_env=False) as http:
            while not self._done.is_set():
                self._request(http, "GET", "/api/products/?page_size=5")
                self._request(http, "GET", "/api/users/me/")
                self._request(http, "POST", "/api/orders/", order, key=str(uuid.uuid4()))
                self._request(http, "POST", "/api/orders/", order)
                time.sleep(PAUSE_SECONDS)

    def _request(
        self, http: httpx.Client, method: str, path: str, body: object = None, key: str = ""
    ) -> None:
        """One request, repeated until it succeeds as a careful client would."""
        headers = {
            "Authorization": self._customer.bearer,
            **({"Idempotency-Key": key} if key else {}),
        }
        what = f"{method}{' with a key' if key else ''} {path.partition('?')[0]}"
        first = self._outcome(self._answer(http, method, path, headers, body))
        with self._lock:
            self.made += 1
            if first:
                self.failed[f"{what}: {first}"] += 1
        deadline = time.monotonic() + RETRY_SECONDS
        latest = first
        while latest and time.monotonic() < deadline:
            time.sleep(0.25)
            headers["Authorization"] = self._customer.bearer
            latest = self._outcome(self._answer(http, method, path, headers, body))
        if latest:
            with self._lock:
                self.lost[f"{what}: {latest}"] += 1

    @staticmethod
    def _answer(
        http: httpx.Client, method: str, path: str, headers: dict[str, str], body: object
    ) -> httpx.Response | str:
        try:
            return http.request(method, path, headers=headers, json=body)
        except httpx.TransportError as error:
            return type(error).__name__

    @staticmethod
    def _outcome(answer: httpx.Response | str) -> str:
        """Empty for what a client wants to hear."""
        if isinstance(answer, str):
            return answer
        return "" if answer.is_success else f"{answer.status_code} {answer.text[:120]}"
