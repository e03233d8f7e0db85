"""What schemathesis makes of the OpenAPI documents, from many addresses and under production's
limits.
"""

from itertools import count

import httpx
import pytest
from documents import ask_often, operations
from people import People
from schemathesis.generation import GenerationMode
from wire import client_address

#: Addresses are far from those of the raw connections.
FIRST_ADDRESS = 5_000_000
numbers = count(FIRST_ADDRESS)


@pytest.mark.parametrize(("name", "route", "method", "mode"), operations())
def test_no_input_makes_a_server_error(
    port: int,
    people: People,
    pytestconfig: pytest.Config,
    name: str,
    route: str,
    method: str,
    mode: GenerationMode,
) -> None:
    def send(method: str, url: str, headers: dict[str, str], **more: object) -> httpx.Response:
        number = next(numbers)
        scene = people.scene(number)
        token = scene.staff if name == "products" else scene.customer
        # It is no HTTPS: loading the certificates would take longer than the request.
        transport = httpx.HTTPTransport(local_address=client_address(number), verify=False)
        with httpx.Client(transport=transport, timeout=25, trust_env=False) as client:
            return client.request(
                method, url, headers={**headers, "Authorization": f"Bearer {token}"}, **more
            )  # type: ignore[arg-type]

    ask_often(
        name,
        route,
        method,
        mode,
        base_url=f"http://127.0.0.1:{port}",
        examples=pytestconfig.getoption("examples"),
        number=pytestconfig.getoption("seed"),
        send=send,
    )
