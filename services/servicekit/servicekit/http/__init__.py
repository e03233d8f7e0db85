"""HTTP as every service speaks it: views, serializer fields, pages, problems (RFC 9457), idempotency."""
