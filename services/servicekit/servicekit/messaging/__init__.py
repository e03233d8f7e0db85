"""Events in and out: outbox and relay, consumer and inbox, dead letters, topology. Knows nothing of HTTP."""
