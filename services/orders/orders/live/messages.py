"""What a client may say on a socket."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from servicekit.auth.token_rules import MAX_TOKEN_BYTES
from servicekit.http import strict_json

MOST_ORDERS = 100


class InvalidMessage(ValueError):
    """The text is no message of ours."""


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Subscribe(_Message):
    """Follow all own orders, or those named; replaces what was followed before."""

    type: Literal["subscribe"]
    orders: Literal["all"] | Annotated[list[UUID], Field(min_length=1, max_length=MOST_ORDERS)]


class Renew(_Message):
    """A new access token of the same session's owner, before the first expires."""

    type: Literal["token"]
    token: Annotated[str, Field(min_length=1, max_length=MAX_TOKEN_BYTES)]


_MESSAGES: TypeAdapter[Subscribe | Renew] = TypeAdapter(
    Annotated[Subscribe | Renew, Field(discriminator="type")]
)


def read(text: str) -> Subscribe | Renew:
    """Return the message.

    Raises:
        InvalidMessage: it is not JSON, or not one of ours.
    """
    try:
        content: Any = strict_json.loads(text.encode())
        return _MESSAGES.validate_python(content)
    except (strict_json.InvalidJson, ValidationError) as error:
        raise InvalidMessage from error
