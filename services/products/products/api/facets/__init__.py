"""Counts beside the list of products."""
