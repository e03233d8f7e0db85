"""Orders of text that are alike in every database, whatever its own locale is."""

#: Unicode's default order, by ICU: deterministic, and in every PostgreSQL that was built with ICU.
BY_LANGUAGE = "und-x-icu"
#: The order of the bytes, for what is ASCII alone.
BY_BYTES = "C"
