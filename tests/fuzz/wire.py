"""Raw connections from many client addresses, and what came back."""

import asyncio
import http.client
import io
from dataclasses import dataclass
from typing import Any

ANSWER_SECONDS = 25.0
#: How long a connection may be quiet before a broken-off request is given up by its sender.
QUIET_SECONDS = 0.5


@dataclass(frozen=True)
class Answer:
    """One response as it was read."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


def client_address(number: int) -> str:
    """A loopback address of its own for each request, as if each came from somewhere else."""
    return f"127.{1 + number // 62_500 % 200}.{number // 250 % 250}.{1 + number % 250}"


async def exchange(port: int, data: bytes, *, source: str, method: str, patient: bool) -> bytes:
    """Send the bytes; return what comes back until the first answer is whole, or the connection
    ends.

    An impatient sender (patient=False) hangs up when nothing comes for a while.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    received = bytearray()
    try:
        writer.write(data)
        limit = ANSWER_SECONDS if patient else QUIET_SECONDS
        while chunk := await asyncio.wait_for(reader.read(65_536), limit):
            received += chunk
            if is_whole(bytes(received), method):
                break
    except TimeoutError:
        if patient and not received:
            raise
    except ConnectionError:
        pass
    finally:
        writer.transport.abort()
    return bytes(received)


def is_whole(data: bytes, method: str) -> bool:
    """Whether a whole answer has come."""
    try:
        answer = first_answer(data, method)
    except (http.client.HTTPException, ValueError, OSError):
        return False
    declared = answer.headers.get("Content-Length")
    has_length = declared is not None and method != "HEAD" and answer.status not in (204, 304)
    return not has_length or len(answer.body) >= int(declared or 0)


class _Stored:
    """Lets http.client read an answer out of bytes."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def makefile(self, *_: object) -> Any:
        return self._file


def first_answer(data: bytes, method: str) -> Answer:
    """Read the first final answer; raises http.client.HTTPException where there is none."""
    read = http.client.HTTPResponse(_Stored(data), method=method)  # type: ignore[arg-type]
    read.begin()
    return Answer(read.status, read.headers, read.read())
