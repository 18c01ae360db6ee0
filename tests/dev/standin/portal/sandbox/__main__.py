"""A sandbox that answers and does nothing else."""

from __future__ import annotations

import argparse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answer(BaseHTTPRequestHandler):
    """Says 200 to everything."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()


parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int)
parser.add_argument("--data")
parser.add_argument("--portal")
ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), Answer).serve_forever()
