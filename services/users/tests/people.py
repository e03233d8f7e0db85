"""People who are logged in, each from a device of theirs."""

from typing import Any
from uuid import UUID

from servicekit.testing.client import Caller, decoded
from tests.factories import PASSWORD, make_account
from users.models import Account

TOKEN, REFRESH = "/api/auth/token/", "/api/auth/refresh/"
ME = "/api/users/me/"
SESSIONS, EVENTS = ME + "sessions/", ME + "security-events/"


class Person(Caller):
    """Somebody with an account and a session of it."""

    def __init__(
        self,
        account: Account | None = None,
        *,
        device: str = "Firefox",
        address: str = "198.51.100.7",
        password: str = PASSWORD,
    ) -> None:
        super().__init__()
        self.account = account or make_account()
        self.id: UUID = self.account.pk
        self.origin = {"User_Agent": device, "X_Real_IP": address}
        body = {"email": self.account.email, "password": password}
        tokens = decoded(self.call("POST", TOKEN, body))
        self.refresh_token = tokens["refresh_token"]
        self._token = tokens["access_token"]

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        return super().call(method, path, body, **{**self.origin, **more})

    def refresh(self) -> Any:
        """Spend the refresh token, and take the new one."""
        answer = self.post(REFRESH, {"refresh_token": self.refresh_token})
        if answer.status_code == 200:
            tokens = decoded(answer)
            self.refresh_token, self._token = tokens["refresh_token"], tokens["access_token"]
        return answer

    def logged(self) -> list[str]:
        """Return the kinds of the security log, newest first."""
        return [event["kind"] for event in decoded(self.get(EVENTS))["results"]]
