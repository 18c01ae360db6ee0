"""What the payment page makes of the form's word and of ours: widget.js alone, on a page of a few lines."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.chromium import borrowed

SCRIPT = Path(__file__).resolve().parents[2] / "static" / "js" / "widget.js"
SHOP = "http://shop.invalid"
PAGE = """<!DOCTYPE html><title>Pay</title>
<div id="widget" data-script="/form.js" data-return="/return" data-status="/status"
     data-transaction="ORDER" data-open-at-once="yes">
  <p data-state="loading">loading</p> <p data-state="open" hidden>open</p>
  <p data-state="done" hidden>done</p> <p data-state="blocked" hidden>blocked</p>
  <p data-state="closed" hidden>closed</p>
  <p data-state="declined" hidden>declined: <span data-reason>the bank refused</span>
    <span data-money>nothing was taken</span> <span data-advice>try again</span></p>
  <button data-pay hidden>Pay</button> <button data-load-again hidden>Again</button>
</div>
<script type="application/json" id="widget-parameters">{}</script>
<script src="/widget.js"></script>"""
FORM = "window.cp = { CloudPayments: class { async start() { return RESULT; } } };"

CANCELLED, REFUSED, PAID, SLOW = (
    {"type": "cancel"},
    {"type": "error", "status": "fail", "message": "the form's own words"},
    {"type": "payment", "status": "success"},
    {"type": "installment"},
)
LEAVES = "we ask again"
#: The window remembers for which orders the form has opened by itself.
orders = count()


def answers(route: Route, result: dict[str, str], known: dict[str, Any] | None) -> None:
    """The shop of one order: its page, its scripts, and what it knows of the payment."""
    path = route.request.url.removeprefix(SHOP)
    if path == "/status":
        if known is None:
            route.abort()
        else:
            route.fulfill(json=known)
        return
    bodies = {
        "/": ("text/html", PAGE.replace("ORDER", str(next(orders)))),
        "/return": ("text/html", LEAVES),
        "/widget.js": ("text/javascript", SCRIPT.read_text(encoding="utf-8")),
        "/form.js": ("text/javascript", FORM.replace("RESULT", json.dumps(result))),
    }
    kind, body = bodies.get(path, ("text/plain", ""))
    route.fulfill(content_type=kind, body=body)


@pytest.mark.parametrize(
    ("result", "known", "shown"),
    (
        (CANCELLED, {"status": "pending"}, "closed"),
        (CANCELLED, {"status": "failed", "failure": {"message": "no money"}}, "declined: no money"),
        (CANCELLED, {"status": "succeeded"}, LEAVES),
        (CANCELLED, None, LEAVES),
        (REFUSED, {"status": "failed", "failure": {"message": "no money"}}, "declined: no money"),
        (REFUSED, {"status": "pending"}, "declined: the form's own words nothing was taken try again"),
        (REFUSED, {"status": "succeeded"}, LEAVES),
        (REFUSED, {"status": "unknown"}, LEAVES),
        (REFUSED, None, LEAVES),
        (PAID, None, LEAVES),
        (SLOW, {"status": "pending"}, LEAVES),
    ),
)
def test_the_form_alone_is_not_believed(
    window: Page, result: dict[str, str], known: dict[str, Any] | None, shown: str
) -> None:
    """That no money was taken is said where we know it, and once, and so is what to do: our own reason says
    both with itself. Where nobody can be asked, the next page asks.
    """
    window.route(f"{SHOP}/**", lambda route: answers(route, result, known))
    with borrowed(window, heard=""):
        window.goto(f"{SHOP}/")

        if shown == LEAVES:
            window.wait_for_url("**/return")
        else:
            expect(window.locator("[data-state]:not([hidden])")).to_have_text(shown, use_inner_text=True)
