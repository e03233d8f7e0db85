"""users handles no events yet; its empty router tells that to the kit's commands."""

from servicekit.messaging.router import Router

router = Router("users")
