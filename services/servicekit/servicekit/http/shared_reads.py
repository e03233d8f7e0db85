"""Reads that many share: tagged, told to caches truthfully, and kept for a second.

class CategoryViewSet(…):
    @shared_read(is_the_same_for_customers=True)
    def retrieve(self, request, category_id):
        return Response(body)
"""

import functools
import hashlib
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from servicekit.http import conditional
from servicekit.http.parsers import OrjsonRenderer
from servicekit.operations import cache
from servicekit.operations.cache import Page

Read = Callable[..., Any]
#: To be asked for each time: the gateway alone keeps it, by its own clock.
PUBLIC, PRIVATE = "public, max-age=0, must-revalidate", "private, max-age=0, must-revalidate"


def shared_read(*, is_the_same_for_customers: bool) -> Callable[[Read], Read]:
    """Give an action's answers an ETag (its own, or a digest), and 304 to who has it.

    An answer to nobody in particular is public. What customers get as well is kept for both in the
    cache; staff and machine clients with a scope always get a new answer.
    """

    def decorate(read: Read) -> Read:
        @functools.wraps(read)
        def shared(view: Any, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
            def make() -> Page:
                return _page(read(view, request, *args, **kwargs))

            # Who calls, of servicekit.auth, which imports this layer.
            viewer: Any = request.user
            is_anonymous = not viewer.is_authenticated
            sees_more = viewer.is_staff or viewer.scopes
            is_kept = is_the_same_for_customers and not sees_more
            page = cache.page(_name(request), make) if is_kept else make()
            return _answer(request, page, PUBLIC if is_anonymous else PRIVATE)

        return shared

    return decorate


#: The same without the cache, for what costs less than asking it.
tagged_read = shared_read(is_the_same_for_customers=False)


def _name(request: Request) -> str:
    """Return path and query; the parameters in one sequence, so that theirs makes no other page."""
    return f"{request.path}?{urlencode(sorted(request.query_params.lists()), doseq=True)}"


def _page(response: Response) -> Page:
    body = OrjsonRenderer().render(response.data)
    digest = hashlib.blake2b(body, digest_size=12).hexdigest()
    return Page(body, response.headers.get("ETag") or f'"{digest}"')


def _answer(request: Request, page: Page, control: str) -> HttpResponse:
    headers = {"ETag": page.tag, "Cache-Control": control}
    if conditional.is_known(request, page.tag):
        return HttpResponse(status=304, headers=headers)
    # The gateway keeps what it knows the length of (gateway/templates/catalogue.conf.template).
    headers["Content-Length"] = str(len(page.body))
    return HttpResponse(page.body, content_type="application/json", headers=headers)
