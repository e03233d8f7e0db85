"""Running a service: health, heartbeats, metrics, logs, bootstrap, purges, the web server."""
