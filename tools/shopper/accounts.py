"""Accounts and their sessions: have one made, log in, and stay logged in."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from shopper.api import Answer, Api, Refused

#: A token is renewed this long before it ends, so that it does not end on the way.
RENEW_BEFORE_SECONDS = 20.0
CREATE = "/api/users/accounts/"


@dataclass(frozen=True)
class Account:
    email: str
    password: str
    name: str = ""


class Session:
    """One logged-in account. Concurrent calls renew its token once, not once each."""

    def __init__(self, api: Api, account: Account) -> None:
        self.api = api
        self.account = account
        self._access = ""
        self._refresh = ""
        self._ends_at = 0.0
        self._renewing = asyncio.Lock()

    async def create(self, admin: "Session") -> bool:
        """Have an admin make the account; False if it is there (or if an earlier answer was lost).

        Nobody reads the mails to the addresses that the tools make up, so they do not register.

        Raises:
            Refused: the shop does not accept these data, or not from this admin.
        """
        body = {
            "email": self.account.email,
            "password": self.account.password,
            "name": self.account.name,
        }
        answer = await admin.call("POST", CREATE, body=body)
        if answer.status == 201:
            return True
        if answer.status == 409:
            return False
        raise Refused("POST", CREATE, answer)

    async def log_in(self) -> None:
        """Fetch the first pair of tokens.

        Raises:
            Refused: the shop does not know this address with this password.
        """
        body = {"email": self.account.email, "password": self.account.password}
        self._take(await self.api.call("POST", "/api/auth/token/", body=body), "/api/auth/token/")

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        key: str | None = None,
        prefer: str | None = None,
    ) -> Answer:
        """Call as this account; after a 401 the token is renewed and the call repeated once.

        Args:
            key: the Idempotency-Key header (docs/api.md).
            prefer: the Prefer header (RFC 7240), such as `wait=5`.
        """
        answer = await self._call(method, path, body, key, prefer)
        if answer.status == 401:
            self._ends_at = 0.0
            answer = await self._call(method, path, body, key, prefer)
        return answer

    async def token(self) -> str:
        """Return an access token that stays valid for `RENEW_BEFORE_SECONDS` at least."""
        async with self._renewing:
            if time.monotonic() > self._ends_at - RENEW_BEFORE_SECONDS:
                await self._renew()
        return self._access

    async def _call(
        self, method: str, path: str, body: Any, key: str | None, prefer: str | None
    ) -> Answer:
        headers = {"Authorization": f"Bearer {await self.token()}"}
        if key:
            headers["Idempotency-Key"] = key
        if prefer:
            headers["Prefer"] = prefer
        return await self.api.call(method, path, headers=headers, body=body)

    async def _renew(self) -> None:
        if self._refresh:
            answer = await self.api.call(
                "POST", "/api/auth/refresh/", body={"refresh_token": self._refresh}
            )
            if answer.is_success:
                self._take(answer, "/api/auth/refresh/")
                return
        # The refresh token ended or was withdrawn: the password is still good.
        await self.log_in()

    def _take(self, answer: Answer, path: str) -> None:
        if not answer.is_success:
            raise Refused("POST", path, answer)
        self._access = answer.body["access_token"]
        self._refresh = answer.body["refresh_token"]
        self._ends_at = time.monotonic() + float(answer.body["expires_in"])
