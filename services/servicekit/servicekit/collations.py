"""Collations that order text alike in every database, whatever its own locale is."""

#: Unicode's default order: deterministic, and in every PostgreSQL that was built with ICU.
BY_LANGUAGE = "und-x-icu"
#: The order of the bytes, for text that is ASCII only.
BY_BYTES = "C"
