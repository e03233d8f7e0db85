"""gunicorn for every service: `gunicorn -c python:servicekit.gunicorn_conf orders.wsgi`."""

import ctypes
import os
import signal
from pathlib import Path
from typing import Any

from servicekit import env
from servicekit.operations import logs, web_size

#: From Linux' sys/prctl.h; Python has no name for it.
PR_SET_PDEATHSIG = 1

bind = env.text("WEB_BIND", "0.0.0.0:8000")
workers = web_size.processes()
threads = web_size.threads()
# Read by env.database() in the workers: a client has long gone when a statement takes longer.
os.environ.setdefault("STATEMENT_TIMEOUT_SECONDS", "10")
worker_class = "servicekit.operations.gunicorn_worker.DrainingThreadWorker"
# nginx keeps idle connections 60 s; the side that is asked must not close first.
keepalive = 75
graceful_timeout = 10
timeout = 60
backlog = 1024
# Above the gateway's (8,000 bytes a line, gateway/templates/limits.conf.template): what is too
# long is refused there, in its words.
limit_request_line = 8190
limit_request_field_size = 16 * 1024
# No proxy in front sets SCRIPT_NAME or PATH_INFO, so a header of that name comes from a client.
forwarder_headers = ""
# Three services of one user would overwrite each other's socket in the home folder.
control_socket_disable = True
# In memory, where gunicorn's heartbeats cost no disk write; no secret is kept there.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
accesslog = None
logconfig_dict = logs.logging(Path.cwd().name)
logconfig_dict["loggers"]["gunicorn.error"] = {
    "level": "INFO",
    "handlers": ["stdout"],
    "propagate": False,
}


def on_starting(_server: Any) -> None:
    """Clear away the counters of processes that are gone."""
    from servicekit.operations import metrics

    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if folder:
        metrics.delete_files_of_ended_processes(Path(folder))


def post_fork(_server: Any, worker: Any) -> None:
    """Have the kernel tell the worker to stop when its parent is gone, however that ended
    (prctl(2), PR_SET_PDEATHSIG).

    Else it would keep the port from the next server until it notices and has finished all it has.
    """
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != worker.ppid:  # it died before we asked
        os._exit(1)


def post_worker_init(_worker: Any) -> None:
    """Ask users for its keys and for what was revoked, for as long as the worker lives."""
    from django.apps import apps

    if apps.ready:  # it serves a Django project, and no other application
        from servicekit.auth import key_refresh, revocation_list

        key_refresh.follow_in_background()
        revocation_list.follow_in_background()


def child_exit(_server: Any, worker: Any) -> None:
    """Let the living gauges of a dead worker go."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
