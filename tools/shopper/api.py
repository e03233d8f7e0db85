"""An HTTP client with bounded parallelism, whose repeats outlast a restart of any part of the shop.

Every call made through it must be safe to repeat, because an answer that got lost is asked for
again: a read, a call with an Idempotency-Key, or a call whose second answer says that it is done
already.
"""

import asyncio
import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import aiohttp

#: Refusals that pass: too fast, or something is away (docs/api.md).
PASSING = frozenset({429, 502, 503, 504})
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
#: A Retry-After beyond this is cut: the caller's patience decides, not one header.
LONGEST_ASKED_SECONDS = 30.0


class ShopAway(RuntimeError):
    """The shop did not answer within `patience_seconds`."""


class Refused(RuntimeError):
    """The shop refused the request, and repeating it would not change that."""

    def __init__(self, method: str, path: str, answer: "Answer") -> None:
        super().__init__(
            f"{method} {path}: {answer.status} {answer.code or ''} {answer.detail}".strip()
        )
        self.answer = answer


@dataclass(frozen=True)
class Answer:
    """Status, headers (lower case names) and the JSON body of one answer."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_replay(self) -> bool:
        return self.headers.get("idempotency-replayed", "").lower() == "true"

    @property
    def code(self) -> str | None:
        return self.body.get("code") if isinstance(self.body, dict) else None

    @property
    def detail(self) -> str:
        return (
            str(self.body.get("detail", ""))
            if isinstance(self.body, dict)
            else str(self.body)[:200]
        )


@dataclass
class Tally:
    """How many requests were made, and how many of them were repeats, by reason."""

    requests: int = 0
    repeats: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    def repeat(self, reason: str) -> None:
        self.repeats += 1
        self.reasons[reason] = self.reasons.get(reason, 0) + 1


class Api:
    """The shop at one address. Use as `async with Api(url) as api`."""

    def __init__(
        self,
        base_url: str,
        *,
        parallel: int = 8,
        patience_seconds: float = 300.0,
        timeout_seconds: float = 30.0,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.patience_seconds = patience_seconds
        self.tally = Tally()
        self._parallel = parallel
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Api":
        connector = aiohttp.TCPConnector(limit=self._parallel)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=self._timeout, trust_env=False
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session:
            await self._session.close()

    async def once(
        self, method: str, path: str, *, headers: Mapping[str, str], body: Any = None
    ) -> Answer:
        """Make a single request and return its answer, whatever its status.

        Raises:
            aiohttp.ClientError, TimeoutError: no whole answer came.
        """
        if self._session is None:
            raise RuntimeError("use Api as a context manager")
        self.tally.requests += 1
        data = None if body is None else json.dumps(body).encode()
        sent = {**headers, **({"Content-Type": "application/json"} if data is not None else {})}
        url = path if path.startswith("http") else self.base_url + path
        # A redirect is an answer of its own: to follow it would repeat a POST as a GET.
        async with self._session.request(
            method, url, data=data, headers=sent, allow_redirects=False
        ) as response:
            raw = await response.read()
            received = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, received, _json_or_text(raw))

    async def call(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: Any = None
    ) -> Answer:
        """Repeat a request until an answer comes that is not a passing refusal.

        Raises:
            ShopAway: no such answer came within `patience_seconds`.
        """
        deadline = time.monotonic() + self.patience_seconds
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                answer = await self.once(method, path, headers=headers or {}, body=body)
            except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
                reason, wait = type(error).__name__, pause
            else:
                if answer.status not in PASSING:
                    return answer
                reason, wait = str(answer.status), _retry_after_seconds(answer, pause)
            if time.monotonic() + wait > deadline:
                raise ShopAway(
                    f"{method} {path}: no answer for {self.patience_seconds:.0f} s, last {reason}"
                )
            self.tally.repeat(reason)
            await asyncio.sleep(wait * random.uniform(0.8, 1.2))  # noqa: S311  jitter, no secret
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def _json_or_text(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return raw.decode("utf-8", "replace")


def _retry_after_seconds(answer: Answer, default: float) -> float:
    value = answer.headers.get("retry-after", "")
    # A date, the other form that RFC 9110 allows, is not worth parsing: our gateway sends seconds.
    if not value.isdecimal():
        return default
    return min(max(float(value), FIRST_PAUSE_SECONDS), LONGEST_ASKED_SECONDS)
