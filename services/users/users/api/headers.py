"""Headers of answers about a person."""

NO_STORE = {"Cache-Control": "no-store"}
