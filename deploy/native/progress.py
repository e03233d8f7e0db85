"""Old name; goes when nobody imports it any more."""

from souk.console import log_step as say

__all__ = ["say"]
