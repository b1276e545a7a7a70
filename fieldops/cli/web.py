"""
How gunicorn runs the application: one process with many threads.

Each screen that listens holds a thread, so there are more threads than screens may listen: those
that are left answer everybody else.
"""

from __future__ import annotations

import datetime as dt
import gc
import logging
import os
import signal
import sys
import threading
from threading import Thread
from typing import TYPE_CHECKING

from fieldops.cli.supervision import die_with_parent, wait_for_turn
from fieldops.settings import Settings

if TYPE_CHECKING:
    from types import FrameType

    from flask import Flask
    from gunicorn.arbiter import Arbiter
    from gunicorn.workers.base import Worker

_host = os.environ["FIELDOPS_HOST"]
bind = f"[{_host}]:{os.environ['PORT']}" if ":" in _host else f"{_host}:{os.environ['PORT']}"
workers = 1
worker_class = "gthread"
_settings = Settings.from_environ()
_streams = _settings.streams
# Loaded before there is a worker: a killed one is there again at once.
preload_app = True
threads = _streams + 32
worker_connections = 2 * _streams + 1000
timeout = 120
graceful_timeout = 10
keepalive = 15
loglevel = "warning"
control_socket_disable = True
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: PTH112, S108
# No Server header that tells versions apart, and no trust in headers that a visitor can write.
forwarded_allow_ips = ""


STACK_BYTES = 2 * 2**20
"""For each thread; the system's 8 MB would have five hundred of them reserve 4 GB."""


TURN_S = 0.001
"""How long a thread may reckon while others wait; an assignment asks the database twenty times, and
after each answer would wait Python's usual 5 ms for whoever draws a board meanwhile."""


def on_starting(_server: Arbiter) -> None:
    """Serve when it is this process's turn."""
    _keep_for_good()
    wait_for_turn(_settings.home)


def _keep_for_good() -> None:
    """
    Have the collector of garbage pass over all that is loaded by now.

    To look through the code of all libraries takes a good quarter of a second, in which nobody is
    answered, and finds nothing.
    """
    gc.collect()
    gc.freeze()


def post_fork(_server: Arbiter, _worker: Worker) -> None:
    """Leave no worker behind if gunicorn itself is killed, and the address to the next at once."""
    die_with_parent(signal.SIGKILL)
    threading.stack_size(STACK_BYTES)
    sys.setswitchinterval(TURN_S)


def post_worker_init(worker: Worker) -> None:
    """Get the first answer ready while the first visitor's page still loads."""
    app = worker.app.callable
    Thread(target=_warm_up, args=(app,), daemon=True).start()
    _end_streams_when_told_to_stop(app)


def _end_streams_when_told_to_stop(app: Flask) -> None:
    """Let those who listen go at once: they come back to whoever serves next."""
    gunicorns_own = signal.getsignal(signal.SIGTERM)

    def stop(number: int, frame: FrameType | None) -> None:
        app.extensions["fieldops.live"].stop()
        if callable(gunicorns_own):
            gunicorns_own(number, frame)

    signal.signal(signal.SIGTERM, stop)


def _warm_up(app: Flask) -> None:
    from fieldops import db
    from fieldops.outages.service import warm_up
    from fieldops.suggestions.service import propose

    with app.app_context():
        try:
            with db.transaction() as session:
                warm_up(session, dt.datetime.now(dt.UTC))
            with db.transaction() as session:
                propose(session, dt.datetime.now(dt.UTC))
        except Exception:
            # The first question will meet the same fault and answer it in words.
            logging.getLogger(__name__).exception("The network could not be read in advance")
    _keep_for_good()
