"""How gunicorn serves the portal, under ``make run`` and in production; its command line wins over this."""

from __future__ import annotations

import os

# In production a proxy that ends TLS stands in front, so only this machine may connect; or --bind.
bind = f"127.0.0.1:{os.environ.get('PORT') or '8000'}"

# Threads, since a request mostly waits for PostgreSQL or a gateway; processes for what Python computes.
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY") or 2)
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
