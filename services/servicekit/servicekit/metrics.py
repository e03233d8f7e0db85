"""What Prometheus reads: counters kept by the processes, gauges computed when asked."""

from prometheus_client import Counter

EVENTS_PUBLISHED = Counter("souk_events_published_total", "Events the broker confirmed")
EVENTS_HANDLED = Counter("souk_events_handled_total", "Events by outcome", ["queue", "type", "outcome"])
DEAD_LETTERS = Counter("souk_dead_letters_total", "Messages given up on", ["queue", "reason"])
RELAY_ERRORS = Counter("souk_relay_errors_total", "Windows or rows that could not be published", ["kind"])
