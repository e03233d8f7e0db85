"""Types for the fields that a consumer reads of others' events.

Whatever they accept can be stored, read back and published again. What they refuse is a dead letter
`invalid_data` at once. An unbounded number or a NUL would pass as valid and fail in the database:
a dead letter after four tries and a minute or, worse, a row that no process can read.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
#: How far the clock of a producer may be ahead of ours.
LATEST = timedelta(days=1)
#: RFC 3339. Parsers of ISO 8601 complete a shorter time, and pydantic guesses the unit of a number
#: and adds an offset; two consumers could then read different times from the same event.
TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
UNSTORABLE = re.compile("[\\0\\ud800-\\udfff]")
MAX_INTEGER, MAX_BIG_INTEGER = 2**31 - 1, 2**63 - 1


def is_storable(text: str) -> bool:
    """Whether PostgreSQL can store it as text: it has no NUL and no lone surrogate."""
    return UNSTORABLE.search(text) is None


def _require_whole_time(value: object) -> object:
    if not isinstance(value, str) or not TIME.fullmatch(value):
        raise ValueError("this is not a time as in RFC 3339")
    return value


def _require_plausible(moment: datetime) -> datetime:
    if not EARLIEST <= moment <= datetime.now(UTC) + LATEST:
        raise ValueError("the time is before 2000 or more than a day ahead")
    return moment.astimezone(UTC)


def _require_storable(text: str) -> str:
    if not is_storable(text):
        raise ValueError("the text holds a NUL or a lone surrogate")
    return text


#: A moment from 2000-01-01 to a day ahead, with its offset; read as UTC.
EventTime = Annotated[
    AwareDatetime, BeforeValidator(_require_whole_time), AfterValidator(_require_plausible)
]
#: A version or a number of units: what an `integer` column holds, and not negative.
EventCount = Annotated[int, Field(strict=True, ge=0, le=MAX_INTEGER)]
#: True or false only; pydantic would otherwise accept "yes" and 1.
EventFlag = Annotated[bool, Field(strict=True)]
#: Text for a column; the field itself bounds its length.
EventText = Annotated[str, AfterValidator(_require_storable)]
