"""Django's WSGI application, whose requests are built whatever a client sends. In a wsgi.py:

application = get_wsgi_application()
"""

from collections.abc import Mapping
from typing import Any

import django
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest

from servicekit.http import media_types


class Request(WSGIRequest):
    """A request whose Content-Type Django does not take apart.

    It would raise, or read the query in a charset of the client's choice.
    """

    def _set_content_type_params(self, meta: Mapping[str, Any]) -> None:
        media_type = media_types.parse(meta.get("CONTENT_TYPE", ""))
        self.content_type = media_type.name if media_type else ""
        self.content_params = dict(media_type.parameters) if media_type else {}


class Handler(WSGIHandler):
    """Answers every request, since every request can be built."""

    request_class = Request


def get_wsgi_application() -> Handler:
    """Set Django up and return the application that gunicorn serves."""
    django.setup(set_prefix=False)
    return Handler()
