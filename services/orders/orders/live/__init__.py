"""The `live` process: sockets that follow orders, and requests that wait for an outcome.

Everything of it runs in one event loop; what asks the database runs in threads of its own
(docs/adr/0104-live-is-a-process-of-its-own.md).
"""
