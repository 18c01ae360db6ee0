"""Command line: ``python -m portal.sandbox --port 8001``."""

from __future__ import annotations

import argparse
import gc
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from werkzeug.serving import WSGIRequestHandler, make_server

from portal.sandbox.app import create_sandbox
from portal.sandbox.config import SandboxConfig
from portal.sandbox.world import World


class _QuietHandler(WSGIRequestHandler):
    """Answers without a log line for every request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Write nothing: the page at / shows what was asked."""


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m portal.sandbox", description="CloudPayments and YooKassa, played here."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8001, help="0 takes a free one")
    parser.add_argument(
        "--data", type=Path, help="SQLite file that survives a restart; without it memory is used"
    )
    parser.add_argument(
        "--portal", help="base URL of a portal: its clock moves along, its webhooks are notified"
    )
    parser.add_argument("--cloudpayments-notify", metavar="URL", help="base URL, or a URL with {kind} in it")
    parser.add_argument("--yookassa-notify", metavar="URL")
    parser.add_argument("--public-url", metavar="URL", help="how browsers reach the sandbox, behind a proxy")
    return parser.parse_args(argv)


def serve(config: SandboxConfig, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT and then stop cleanly; print one line with the address when ready."""
    app = create_sandbox(config)
    the_world: World = app.extensions["sandbox"]
    server = make_server(host, port, app, threaded=True, request_handler=_QuietHandler)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        # shutdown() waits for the serving loop, which this very thread runs.
        threading.Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    gc.freeze()  # what was imported stays, so neither a search for garbage nor the end goes through it
    the_world.start()
    sys.stdout.write(f"Sandbox ready: http://{host}:{server.server_port}\n")
    sys.stdout.flush()
    try:
        server.serve_forever()
    finally:
        server.server_close()
        the_world.stop()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    args = _arguments(argv)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    config = SandboxConfig(
        data=args.data,
        portal=args.portal,
        cloudpayments_notify=args.cloudpayments_notify,
        yookassa_notify=args.yookassa_notify,
        public_url=args.public_url,
    )
    serve(config, args.host, args.port)
    return 0


if __name__ == "__main__":
    sys.exit(main())
