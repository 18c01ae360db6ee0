"""A payer with a real Chromium in front of a merchant's page with a strict content policy."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, request
from playwright.sync_api import Page, ViewportSize

from portal.sandbox.cloudpayments.terminal import PUBLIC_ID
from tests.chromium import await_widget, borrowed

PAGE = """<!doctype html>
<html lang="ru"><head><meta charset="utf-8"><title>Магазин</title><link rel="icon" href="data:,"></head>
<body><button id="pay">Купить</button><output id="result"></output><p id="seen"></p>
<script src="{sandbox}/cloudpayments/bundles/cloudpayments.js"></script>
<script nonce="abc">
  const seen = [];
  document.getElementById("pay").addEventListener("click", async () => {{
    const widget = new cp.CloudPayments();
    window.widget = widget;
    widget.oncomplete = (result) => {{ seen.push(result); }};
    const result = await {call};
    document.getElementById("result").textContent = JSON.stringify({{result, seen}});
  }});
</script></body></html>
"""
START = {
    "publicTerminalId": PUBLIC_ID,
    "amount": 990.5,
    "currency": "RUB",
    "paymentSchema": "Single",
    "description": "Тариф «Про»",
    "externalId": "42",
    "receiptEmail": "u@example.com",
    "tokenize": True,
    "userInfo": {"accountId": "user_x"},
    "metadata": {"attempt": 1},
}
PHONE: ViewportSize = {"width": 375, "height": 700}


@dataclass
class Customer:
    """A payer in front of the merchant's page. ``complaints`` is all that the console said."""

    page: Any
    url: str
    complaints: list[str] = field(default_factory=list)

    @property
    def frame(self) -> Any:
        """The inside of the widget."""
        return self.page.frame_locator("iframe")

    def buy(self) -> None:
        """Press the merchant's button and wait for the form."""
        self.page.get_by_role("button", name="Купить").click()
        await_widget(self.page, self.frame.get_by_label("Номер карты"))

    def pay_with(self, number: str) -> None:
        """Fill in a test card by its chip and pay."""
        self.press(number)
        self.press("Оплатить 990")

    def press(self, name: str, *, exact: bool = False) -> None:
        """Press a button inside the widget."""
        button = self.frame.get_by_role("button", name=name, exact=exact)
        await_widget(self.page, button)
        button.click()

    def result(self) -> Any:
        """What the merchant's script got, once it got it: ``{"result", "seen"}``."""
        filled = self.page.locator("#result", has_text="{").or_(self.page.locator("#result", has_text='"'))
        return json.loads(filled.text_content())


def merchant_site(page: dict[str, str]) -> Flask:
    """Build the merchant's site, whose page runs ``page["call"]`` on the gateway at ``page["sandbox"]``."""
    app = Flask("shop")

    @app.get("/")
    def show() -> Response:
        answer, sandbox = Response(PAGE.format(**page), mimetype="text/html"), page["sandbox"]
        answer.headers["Content-Security-Policy"] = (
            f"default-src 'none'; script-src 'self' 'nonce-abc' {sandbox}; frame-src {sandbox};"
            " style-src 'self'; style-src-attr 'unsafe-inline'; img-src data:; connect-src 'self'"
        )
        return answer

    @app.get("/back")
    def back() -> str:
        return f"<!doctype html><link rel=icon href=data:,><title>{request.args['to']}</title>"

    return app


@contextmanager
def customers(window: Page, page: dict[str, str], url: str) -> Iterator[Callable[..., Customer]]:
    """Open the merchant's page; at the end the console must have stayed silent."""
    with borrowed(window, PHONE, heard=".*") as complaints:

        def open_page(call: str = "", **changes: Any) -> Customer:
            page["call"] = call or f"widget.start({json.dumps({**START, **changes})})"
            window.goto(url)
            return Customer(window, url, complaints)

        yield open_page
    assert not complaints, complaints
