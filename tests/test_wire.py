"""A request that is carried without a socket is answered as it would be with one."""

from __future__ import annotations

import os

import pytest
import requests

from tests.desk import PASSWORD, Desk
from tests.wire import Wire

#: What a server adds to every answer.
OF_THE_SERVER = {"Date", "Server", "Connection"}


def asked(desk: Desk, path: str = "/plans") -> requests.PreparedRequest:
    return requests.Request("GET", desk.url + path).prepare()


def test_both_ways_are_one(desk: Desk, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status, headers, cookies, redirects, odd paths and a refused form are the same either way."""
    told = []
    for only_sockets in (False, True):
        monkeypatch.setattr(wire, "only_sockets", only_sockets)
        assert (wire.application(asked(desk)) is None) is only_sockets
        ira = desk.browser()
        answers = [
            ira.get("/plans", params={"q": "а б"}),
            ira.get("/no/такой%20/page"),
            ira.get("/dashboard/"),
        ]
        answers += [ira.send("/login", email="nobody@example.com", password=PASSWORD)]
        ira.register(f"ira-{only_sockets}@example.com")
        answers += [ira.get("/dashboard/payments"), ira.session.head(f"{desk.url}/plans", timeout=10)]
        told.append(
            [
                (
                    answer.status_code,
                    answer.reason.upper(),
                    sorted(answer.headers.keys() - OF_THE_SERVER),
                    [(one.status_code, one.headers["Location"]) for one in answer.history],
                    bool(answer.text),
                    answer.url,
                )
                for answer in answers
            ]
            + [sorted((cookie.name, cookie.domain, cookie.path) for cookie in ira.session.cookies)]
        )
    assert told[0] == told[1]


def test_what_is_about_the_wire_takes_the_wire(
    desk: Desk, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spoilt answers, slow gateways, children of this process and any other address need sockets."""
    monkeypatch.setattr(wire, "only_sockets", False)
    assert wire.application(asked(desk)) is not None
    assert wire.application(requests.Request("GET", "http://127.0.0.1:9/").prepare()) is None

    desk.sandbox.control("faults", gateway="yookassa", operation="create_payment", fault="hang", times=1)
    assert wire.application(asked(desk)) is None
    desk.sandbox.clear_faults()
    assert wire.application(asked(desk)) is not None
    desk.sandbox.control("settings", api_latency_ms=1)
    assert wire.application(asked(desk)) is None
    desk.sandbox.control("settings", api_latency_ms=0)

    monkeypatch.setattr(os, "getpid", lambda: wire.process + 1)
    assert wire.application(asked(desk)) is None
