"""How gunicorn runs the application: one process with many threads."""

from __future__ import annotations

import datetime as dt
import logging
import os
from threading import Thread
from typing import TYPE_CHECKING

from fieldops.cli.supervision import die_with_parent

if TYPE_CHECKING:
    from flask import Flask
    from gunicorn.arbiter import Arbiter
    from gunicorn.workers.base import Worker

_host = os.environ["FIELDOPS_HOST"]
bind = f"[{_host}]:{os.environ['PORT']}" if ":" in _host else f"{_host}:{os.environ['PORT']}"
workers = 1
worker_class = "gthread"
threads = 32
timeout = 120
graceful_timeout = 10
keepalive = 15
loglevel = "warning"
control_socket_disable = True
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: PTH112, S108
# No Server header that tells versions apart, and no trust in headers that a visitor can write.
forwarded_allow_ips = ""


def post_fork(_server: Arbiter, _worker: Worker) -> None:
    """Leave no worker behind if gunicorn itself is killed."""
    die_with_parent()


def post_worker_init(worker: Worker) -> None:
    """Get the first answer ready while the first visitor's page still loads."""
    Thread(target=_warm_up, args=(worker.app.callable,), daemon=True).start()


def _warm_up(app: Flask) -> None:
    from fieldops import db
    from fieldops.outages.service import warm_up

    with app.app_context():
        try:
            with db.transaction() as session:
                warm_up(session, dt.datetime.now(dt.UTC))
        except Exception:
            # The first question will meet the same fault and answer it in words.
            logging.getLogger(__name__).exception("The network could not be read in advance")
