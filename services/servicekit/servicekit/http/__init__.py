"""HTTP as every service speaks it: viewsets, serializers, filters, pages, problems (RFC 9457)."""
