"""users reacts to no event yet; the router says so to the consumer and to the tools."""

from servicekit.messaging.router import Router

router = Router("users")
