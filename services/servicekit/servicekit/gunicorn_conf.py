"""gunicorn for every service: `gunicorn -c python:servicekit.gunicorn_conf orders.wsgi`."""

import os
from pathlib import Path
from typing import Any

from servicekit import env, logs, web_size

bind = env.text("WEB_BIND", "0.0.0.0:8000")
workers = web_size.processes()
threads = web_size.threads()
# Read by env.database() in the workers: a client has long gone when a statement takes longer.
os.environ.setdefault("STATEMENT_TIMEOUT_SECONDS", "10")
worker_class = "servicekit.gunicorn_worker.DrainingThreadWorker"
# nginx keeps idle connections 60 s; the side that is asked must not be the one that closes first.
keepalive = 75
graceful_timeout = 10
timeout = 60
backlog = 1024
# Three services of one user would overwrite each other's socket in the home folder.
control_socket_disable = True
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - heartbeats need memory, not a secret place
accesslog = None
logconfig_dict = logs.logging(Path.cwd().name)
logconfig_dict["loggers"]["gunicorn.error"] = {"level": "INFO", "handlers": ["stdout"], "propagate": False}


def on_starting(_server: Any) -> None:
    """Clear away the counters of processes that are gone."""
    from servicekit import metrics

    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if folder:
        metrics.drop_files_of_the_dead(Path(folder))


def post_worker_init(_worker: Any) -> None:
    """Ask users for what was revoked, for as long as the worker lives."""
    from servicekit import revocation_list

    revocation_list.follow_in_background()


def child_exit(_server: Any, worker: Any) -> None:
    """Let the living gauges of a dead worker go."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
