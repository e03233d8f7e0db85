"""What Prometheus hears of `live`."""

from prometheus_client import Counter, Gauge

SOCKETS = Gauge("souk_live_sockets", "Sockets that are open", multiprocess_mode="livesum")
WAITERS = Gauge("souk_live_waiters", "Requests that wait", multiprocess_mode="livesum")
MESSAGES = Counter("souk_live_messages_total", "Messages sent to sockets")
CLOSED = Counter("souk_live_closed_total", "Sockets that we closed", ["reason"])
