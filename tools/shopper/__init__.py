"""A client of the shop's public API, as demo, benchmarks and end-to-end tests use it. It knows no service from inside."""
