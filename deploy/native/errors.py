"""What stops a command with one line instead of a traceback."""


class Cannot(Exception):
    """The command cannot go on; the message says why and what to do."""
