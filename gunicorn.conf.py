"""How gunicorn serves the portal, under ``make run`` and in production; its command line wins over this."""

from __future__ import annotations

import gc
import os
import sys

# In production a proxy that ends TLS stands in front, so only this machine may connect; or --bind.
bind = f"127.0.0.1:{os.environ.get('PORT') or '8000'}"

# Threads, since a request mostly waits for PostgreSQL or a gateway; processes for what Python computes.
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY") or max(2, len(os.sched_getaffinity(0))))
threads = 8

# A start that must not be is refused once, by the first process, instead of by every child for ever.
# wsgi.py leaves no database connection open behind it: none may be shared across a fork.
preload_app = True

# Longer than the slowest answer of a gateway; requests in progress may end before a stop.
timeout = 60
graceful_timeout = 30
keepalive = 5

# Otherwise gunicorn 27 opens a control socket under the home folder.
control_socket_disable = True

# Seconds for which a thread may compute while another waits to go on with what PostgreSQL answered. Python's
# five milliseconds, several times in a request, are what a slow answer is made of.
_TURN = 0.0005

# Gunicorn's own words go through the portal's log (portal/logs.py), one JSON object a line: the application
# is loaded before the first of them, and has put its handler at the root.
logconfig_dict = {
    "root": {"level": "WARNING", "handlers": []},
    "loggers": {"gunicorn.error": {"handlers": [], "propagate": True}},
}


def when_ready(_server: object) -> None:
    """Leave what the application consists of out of every later search for garbage, and shared."""
    gc.collect()
    gc.freeze()


def post_fork(_server: object, _worker: object) -> None:
    """Let the threads of this process take turns more often."""
    sys.setswitchinterval(_TURN)
