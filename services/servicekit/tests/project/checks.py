"""What a service would add to readiness and to the gauges."""

from servicekit.operations.metrics import Gauge

finding = ""


def own() -> str:
    return finding


def gauges() -> list[Gauge]:
    return [Gauge("souk_test_depth", "How deep it is", 7)]
