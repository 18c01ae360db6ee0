"""A customer of stories about saved methods: subscribed, refused, led by letters."""

from __future__ import annotations

import re
from typing import Any

import requests

from tests.desk import Browser, Desk
from tests.stories import books
from tests.stories.weather import paid

GATEWAYS = ("cloudpayments", "yookassa")
METHODS, RENEWAL, PAY = "/dashboard/payment-methods", "/dashboard/renewal", "/dashboard/renewal/pay"


def subscribed(desk: Desk, gateway: str, card: str = "5555555555554444") -> Browser:
    """A customer who has bought the monthly plan and agreed to renewals."""
    ira = desk.customer()
    paid(desk, ira.order(gateway, recurring=True), card)
    return ira


def refuse(desk: Desk, gateway: str, outcome: str, times: int | None = None) -> None:
    """Let the charges of the method saved first at this gateway end like this."""
    saved = next(one for one in desk.sandbox.ledger()["methods"] if one["gateway"] == gateway)
    name = "token" if gateway == "cloudpayments" else "payment_method_id"
    words: dict[str, Any] = {name: saved.get("token") or saved["id"], "outcome": outcome}
    desk.sandbox.control("cards", **words, **({"times": times} if times else {}))


def payments(desk: Desk) -> list[tuple[str, ...]]:
    """Gateway, purpose, status and sum of every payment of ours, oldest first."""
    query = "SELECT gateway, purpose, status, amount FROM payments ORDER BY id"
    return [tuple(str(cell) for cell in row) for row in books.rows(desk.app, query)]


def subscription(desk: Desk) -> Any:
    """The only subscription, with the title of what it charges."""
    (row,) = books.rows(
        desk.app,
        "SELECT s.*, m.title FROM subscriptions s LEFT JOIN payment_methods m ON m.id = s.payment_method_id",
    )
    return row


def periods(desk: Desk) -> list[Any]:
    """The paid periods, oldest first."""
    return books.rows(desk.app, "SELECT starts_at, ends_at FROM purchased_plans ORDER BY id")


def body(desk: Desk) -> str:
    """The text of the letter that came last."""
    return str(desk.sandbox.letters("ira@example.com")[-1]["text"])


def link(desk: Desk, what: str) -> str:
    """The path of the latest link of this kind (stop, pay) out of a letter."""
    letters = desk.sandbox.letters("ira@example.com")
    found = [one for letter in letters for one in letter["links"] if one.endswith(f"/{what}")]
    return str(found[-1]).removeprefix(desk.url)


def there(answer: requests.Response) -> str:
    """The public id of the payment whose page a form has led to."""
    found = re.search(r"/billing/payment/([0-9a-f-]{36})/", answer.url)
    assert found, answer.url
    return found[1]


def latest(desk: Desk) -> str:
    """The public id of the payment that was made last."""
    rows = books.rows(desk.app, "SELECT transaction_id FROM payments ORDER BY id DESC LIMIT 1")
    return str(rows[0][0])
