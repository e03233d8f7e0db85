"""What tests of failing views share."""

import pytest
from django.http import HttpResponse

from servicekit.testing.client import problem

BOTH = pytest.mark.parametrize("path", ["/failing/", "/plain/"])


def pointers(answer: HttpResponse) -> list[tuple[str, str]]:
    return [
        (error["pointer"], error["code"]) for error in problem(answer, 400, "invalid")["errors"]
    ]
