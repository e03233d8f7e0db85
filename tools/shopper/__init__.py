"""A client of the shop's public API, for demo, benchmarks and end-to-end tests.

It knows no service from inside.
"""
