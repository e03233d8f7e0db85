"""Whatever the OpenAPI documents allow or forbid, no input makes a 5xx, and every error is a
problem with a request id.
"""

import pytest
from documents import ask_often, operations
from harness import Shop
from schemathesis.generation import GenerationMode

EXAMPLES = 15


@pytest.mark.parametrize(("name", "route", "method", "mode"), operations())
def test_no_input_makes_a_server_error(
    shop: Shop, name: str, route: str, method: str, mode: GenerationMode
) -> None:
    person = shop.staff() if name == "products" else shop.register()

    def send(method: str, url: str, headers: dict[str, str], **more: object) -> object:
        return shop.http.request(
            method, url, headers={**headers, "Authorization": person.bearer}, **more
        )  # type: ignore[arg-type]

    ask_often(
        name, route, method, mode, base_url=shop.ops.gateway, examples=EXAMPLES, number=1, send=send
    )
