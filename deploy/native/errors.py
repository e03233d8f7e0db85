"""Old name; goes when nobody imports it any more."""

from souk.console import CommandError as Cannot

__all__ = ["Cannot"]
