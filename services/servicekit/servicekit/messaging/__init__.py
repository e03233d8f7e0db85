"""Events in and out: outbox and relay, consumer and inbox, dead letters, topology.

It knows nothing of HTTP.
"""
