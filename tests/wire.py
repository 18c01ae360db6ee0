"""Requests between the programs of one process, carried without sockets where no socket is the story.

Portal and sandbox run in the process that tests them and speak HTTP with each other and with the persons of a
story, some twenty thousand times in a run. A socket, a thread and two readers of HTTP around each of these
cost more than the answers. So the transport of ``requests`` hands a request to the application itself, in a
context of its own, as a thread of a server would.

Real sockets carry it where a gateway is told to hang, to drop or to dawdle, in a child of this process, in
the tests of the browser, the gateways and the sandbox, and everywhere with ``WIRE=sockets`` in the
environment.
"""

from __future__ import annotations

import io
import os
import sys
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.error import HTTPError
from urllib.parse import unquote_to_bytes, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPHeaderDict, HTTPResponse
from werkzeug.test import run_wsgi_app

SOCKETS = os.environ.get("WIRE") == "sockets"
#: What the sandbox is told when time on the wire, or its end, is the story.
OF_THE_WIRE = frozenset({"api_latency_ms", "hang_seconds", "webhook_timeout_seconds"})

_adapter = HTTPAdapter()


class _Told:
    """The headers of an answer where :mod:`http.cookiejar` looks for them."""

    def __init__(self, headers: Iterable[tuple[str, str]]) -> None:
        self.msg = Message()
        for name, value in headers:
            self.msg[name] = value

    def isclosed(self) -> bool:
        """Everything has been read."""
        return True

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Wire:
    """The applications of this process by their addresses."""

    inside: dict[str, Any] = field(default_factory=dict)
    needs_sockets: Callable[[], bool] = lambda: False
    process: int = field(default_factory=os.getpid)
    only_sockets: bool = SOCKETS

    def application(self, request: requests.PreparedRequest) -> Any:
        """Who answers this request without a socket, if anybody."""
        if self.only_sockets or not isinstance(request.body, bytes | str | None):
            return None
        origin = "/".join(str(request.url).split("/", 3)[:3])
        found = self.inside.get(origin)
        return found if found and os.getpid() == self.process and not self.needs_sockets() else None

    @contextmanager
    def laid(self) -> Iterator[Wire]:
        """Carry the requests of this process."""
        send, post = HTTPAdapter.send, urllib.request.urlopen

        def carried(
            adapter: HTTPAdapter, request: requests.PreparedRequest, *more: Any, **options: Any
        ) -> Any:
            application = self.application(request)
            return answered(application, request) if application else send(adapter, request, *more, **options)

        def posted(letter: Any, *more: Any, **words: Any) -> Any:
            prepared = _prepared(letter)
            application = prepared and self.application(prepared)
            return _taken(answered(application, prepared)) if application else post(letter, *more, **words)

        HTTPAdapter.send = carried  # type: ignore[method-assign]  # what the whole process sends passes here
        urllib.request.urlopen = posted  # and the post, which needs no library
        try:
            yield self
        finally:
            HTTPAdapter.send = send  # type: ignore[method-assign]
            urllib.request.urlopen = post


def answered(application: Any, request: requests.PreparedRequest) -> requests.Response:
    """Let the application answer, as if it had been asked over a socket."""
    body, status, headers = Context().run(run_wsgi_app, application, environ(request), buffered=True)
    told = list(headers)
    raw = HTTPResponse(
        io.BytesIO(b"".join(body)),
        headers=HTTPHeaderDict(told),
        status=int(status.partition(" ")[0]),
        reason=status.partition(" ")[2],
        preload_content=False,
        original_response=_Told(told),  # type: ignore[arg-type]  # all that is asked of it
        request_method=request.method,
    )
    return _adapter.build_response(request, raw)


def _prepared(letter: Any) -> Any:
    """A request of :mod:`urllib.request` as one of ``requests``; nothing for a mere address."""
    if not isinstance(letter, urllib.request.Request):
        return None
    headers = dict(letter.header_items())
    return requests.Request(letter.get_method(), letter.full_url, headers, data=letter.data).prepare()


def _taken(answer: requests.Response) -> requests.Response:
    """The answer as :mod:`urllib.request` gives it. Raises HTTPError for what was refused."""
    if answer.status_code >= 400:
        raise HTTPError(answer.url, answer.status_code, answer.reason, Message(), io.BytesIO(answer.content))
    return answer


def environ(request: requests.PreparedRequest) -> dict[str, Any]:
    """The request as the server of the sandbox and of the portal would put it."""
    address = urlsplit(str(request.url))
    body = request.body.encode() if isinstance(request.body, str) else request.body or b""
    target = f"{address.path}?{address.query}" if address.query else address.path
    told = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(address.path or "/").decode("latin-1"),
        "QUERY_STRING": address.query,
        "REQUEST_URI": target,
        "RAW_URI": target,
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": 9,
        "SERVER_NAME": address.hostname,
        "SERVER_PORT": str(address.port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": address.netloc,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": address.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        told[key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"] = value
    return told
