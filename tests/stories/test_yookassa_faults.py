"""YooKassa on a bad day: never two payments, never a lost one, and the customer is told the truth."""

from __future__ import annotations

from typing import Any

import pytest

from portal.models import CaseKind
from tests.desk import Browser, Desk
from tests.stories import books
from tests.stories.weather import clear, has_plan, held_by, impatient, later, orders, spoil, subjects

#: Nothing was done when the client sees these.
BEFORE = ("http_500", "http_429", "garbage_502", "drop_before_commit")
#: The payment exists; only the answer is spoilt.
AFTER = ("http_500_after_commit", "malformed_200", "drop_after_commit", "http_202")
ORDER = {"plan_code": "PRO_MONTHLY", "accept_recurring": False}
CREATE = "/billing/api/yookassa/create_payment/"
CARD = "5555555555554444"


def at_yookassa(desk: Desk) -> list[Any]:
    """YooKassa's own payments."""
    return held_by(desk, "yookassa")


def agree(desk: Desk) -> None:
    """Both sides' books are the same."""
    assert not (found := books.disagreements(desk.app, desk.sandbox.ledger())), found


def spoilt_click(desk: Desk, browser: Browser, fault: str) -> Any:
    """Ask for an order while YooKassa answers with *fault*; the order as it is left behind."""
    spoil(desk, "yookassa", "create_payment", fault)
    if fault.startswith("hang"):
        with impatient(desk):
            answer = browser.call(CREATE, ORDER)
    else:
        answer = browser.call(CREATE, ORDER)
    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "GATEWAY_UNAVAILABLE"
    (left,) = orders(browser, "yookassa")
    assert (left["status"], left["gateway_payment_id"], left["failure"]) == ("unknown", None, None)
    return left


@pytest.mark.parametrize("fault", (*BEFORE, "hang", *AFTER, "hang_after_commit"))
def test_a_second_click_repeats_the_first(desk: Desk, fault: str) -> None:
    """Whatever became of the first request, the second click sends the same bytes under the same key: one
    order of ours, one payment of theirs, and it can be paid.
    """
    desk.sandbox.control("settings", yookassa_idempotency="bytes")
    ira = desk.customer()
    left = spoilt_click(desk, ira, fault)

    again = ira.order("yookassa")

    assert again["transaction_id"] == left["transaction_id"]
    assert (again["status"], len(orders(ira, "yookassa"))) == ("pending", 1)
    (theirs,) = at_yookassa(desk)
    assert theirs["request"]["metadata"]["payment_id"] == left["transaction_id"]
    assert theirs["id"] in again["confirmation_url"]
    desk.sandbox.pay("yookassa", left["transaction_id"], CARD)
    desk.settle()
    assert has_plan(ira)
    agree(desk)


@pytest.mark.parametrize("fault", ("http_429", "drop_before_commit"))
def test_what_was_never_created_ends_as_failed(desk: Desk, fault: str) -> None:
    """A customer who walks away is told that nothing was taken, once YooKassa's answer limit has passed."""
    ira = desk.customer()
    left = spoilt_click(desk, ira, fault)

    page = ira.get(f"/billing/payment/{left['transaction_id']}/return").text
    assert "второй раз платить не нужно" in page

    later(desk, "10m")
    (after,) = orders(ira, "yookassa")
    assert (after["status"], after["failure"]["code"]) == ("failed", "not_created")
    page = ira.get(f"/billing/payment/{left['transaction_id']}/return").text
    assert "деньги не списаны" in page
    assert at_yookassa(desk) == []


def test_not_found_means_nothing_before_the_answer_limit(desk: Desk) -> None:
    """YooKassa may still be at work on a request whose answer was lost: "not found" decides nothing yet."""
    ira = desk.customer()
    left = spoilt_click(desk, ira, "drop_before_commit")

    later(desk, "80s")

    assert ira.get(f"/billing/payment/{left['transaction_id']}/status").json()["status"] == "unknown"


@pytest.mark.parametrize("fault", ("malformed_200", "drop_after_commit"))
def test_what_was_created_is_found_again(desk: Desk, fault: str) -> None:
    """The payment that YooKassa made although its answer was lost is found by our reference and bound to the
    order; money paid on it gives the plan though nobody clicked again.
    """
    ira = desk.customer()
    left = spoilt_click(desk, ira, fault)
    (theirs,) = at_yookassa(desk)

    later(desk, "3m")

    (found,) = orders(ira, "yookassa")
    assert (found["status"], found["gateway_payment_id"]) == ("pending", theirs["id"])
    desk.sandbox.control("settings", webhooks="drop")
    desk.sandbox.pay("yookassa", left["transaction_id"], CARD)
    later(desk, "15m")
    assert orders(ira, "yookassa")[0]["status"] == "succeeded"
    agree(desk)


def test_the_lookup_may_fail_too(desk: Desk) -> None:
    """While YooKassa cannot be asked the order stays unknown, for the API, the page and the sweep alike."""
    ira = desk.customer()
    left = spoilt_click(desk, ira, "drop_after_commit")
    spoil(desk, "yookassa", "list_payments", "http_500", times=100)

    later(desk, "10m")

    assert orders(ira, "yookassa")[0]["status"] == "unknown"
    page = ira.get(f"/billing/payment/{left['transaction_id']}/return")
    assert page.status_code == 200
    assert "второй раз платить не нужно" in page.text


def test_after_the_key_is_forgotten_it_is_asked_about_and_never_repeated(desk: Desk) -> None:
    """YooKassa forgets a key after 24 hours: an order that is unknown for longer is shown to the operator,
    and a click makes nothing new before YooKassa has said what became of the old one.
    """
    ira = desk.customer()
    left = spoilt_click(desk, ira, "drop_after_commit")
    desk.sandbox.control("settings", webhooks="drop")
    spoil(desk, "yookassa", "list_payments", "garbage_502", times=1000)

    later(desk, "25h")

    assert ira.call(CREATE, ORDER).status_code == 502
    assert (len(orders(ira, "yookassa")), len(at_yookassa(desk))) == (1, 1)
    assert books.case_kinds(desk.app) == [CaseKind.UNKNOWN_TOO_OLD]

    clear(desk)
    again = ira.order("yookassa")

    assert again["transaction_id"] != left["transaction_id"]
    assert [order["status"] for order in orders(ira, "yookassa")] == ["pending", "failed"]
    assert sorted(payment["status"] for payment in at_yookassa(desk)) == ["canceled", "pending"]


@pytest.mark.parametrize("fault", ("drop_before_commit", "drop_after_commit"))
def test_another_gateway_may_be_chosen_meanwhile(desk: Desk, fault: str) -> None:
    """An order whose outcome is unknown keeps nobody from paying at the other gateway; it is set aside, still
    asked about, and ends without a letter that would frighten.
    """
    ira = desk.customer()
    left = spoilt_click(desk, ira, fault)

    other = ira.order("cloudpayments")
    desk.sandbox.pay("cloudpayments", other["transaction_id"])
    desk.settle()
    later(desk, "3h")

    assert ira.status(other["transaction_id"], "cloudpayments")["status"] == "succeeded"
    assert ira.status(left["transaction_id"], "yookassa")["status"] == "failed"
    assert has_plan(ira)
    assert not [subject for subject in subjects(desk) if "не прош" in subject]
    agree(desk)


def test_an_order_outlives_its_page(desk: Desk) -> None:
    """YooKassa's page lives an hour: shortly before, the next click asks about the old payment, sets it aside
    and makes another; whoever still pays on the old page loses nothing.
    """
    ira = desk.customer()
    first = ira.order("yookassa")
    assert ira.order("yookassa")["confirmation_url"] == first["confirmation_url"]

    later(desk, "56m")
    second = ira.order("yookassa")
    assert second["transaction_id"] != first["transaction_id"]
    desk.sandbox.pay("yookassa", first["transaction_id"], CARD)
    desk.settle()

    assert ira.status(first["transaction_id"], "yookassa")["status"] == "succeeded"
    assert ira.status(second["transaction_id"], "yookassa")["status"] == "pending"
    assert has_plan(ira)
    agree(desk)


def test_a_click_on_a_paid_order_makes_no_other(desk: Desk) -> None:
    """When the question before a new order finds the old one paid, the customer is shown that instead of
    being asked to pay again.
    """
    ira = desk.customer()
    first = ira.order("yookassa")
    desk.sandbox.control("settings", webhooks="drop")
    later(desk, "50m")
    desk.sandbox.pay("yookassa", first["transaction_id"], CARD)
    later(desk, "6m")

    again = ira.order("yookassa")

    assert (again["transaction_id"], again["status"]) == (first["transaction_id"], "succeeded")
    assert len(at_yookassa(desk)) == 1


@pytest.mark.parametrize("fault", ("http_500", "hang", "malformed_200"))
def test_the_return_page_asks_again_later(desk: Desk, fault: str) -> None:
    """Where YooKassa does not say what became of a payment the return page says so, and finds out at the next
    look.
    """
    ira = desk.customer()
    order = ira.order("yookassa")
    where = f"/billing/payment/{order['transaction_id']}"
    desk.sandbox.control("settings", webhooks="drop")
    desk.sandbox.pay("yookassa", order["transaction_id"], CARD)
    spoil(desk, "yookassa", "get_payment", fault)

    with impatient(desk):
        page = ira.get(f"{where}/return")
    assert page.status_code == 200
    assert "Ждём подтверждения" in page.text
    assert ira.get(f"{where}/status").json()["status"] == "pending"

    later(desk, "3s")
    assert ira.get(f"{where}/status").json()["status"] == "succeeded"
    assert "уже действует" in ira.get(f"{where}/return").text
    agree(desk)


@pytest.mark.parametrize("fault", ("http_429", "hang", "garbage_502", "drop_after_commit"))
def test_a_notification_is_read_back_later(desk: Desk, fault: str) -> None:
    """A notification whose object cannot be read is kept; nothing is believed before it has been read."""
    ira = desk.customer()
    order = ira.order("yookassa")
    spoil(desk, "yookassa", "get_payment", fault)
    desk.sandbox.pay("yookassa", order["transaction_id"], CARD)

    with impatient(desk):
        desk.settle()
    assert ira.status(order["transaction_id"], "yookassa")["status"] == "pending"
    assert not has_plan(ira)

    later(desk, "70s")
    assert ira.status(order["transaction_id"], "yookassa")["status"] == "succeeded"
    assert books.count(desk.app, "purchased_plans") == 1
    agree(desk)


def test_a_shop_without_recurring_payments_says_so(desk: Desk, recurring: None) -> None:
    """YooKassa's 403 reaches the customer as 403 with the seed's sentence; the order ends as failed, and the
    same order without the box works at once.
    """
    desk.sandbox.control("settings", yookassa_recurring=False)
    ira = desk.customer()

    refused = ira.call(CREATE, {**ORDER, "accept_recurring": True})
    assert refused.status_code == 403
    assert refused.json() == {
        "error": {
            "code": "YOOKASSA_FORBIDDEN",
            "message": "Платёжная система временно недоступна. Попробуйте позже или свяжитесь с поддержкой.",
        }
    }
    assert [order["status"] for order in orders(ira, "yookassa")] == ["failed"]

    order = ira.order("yookassa", recurring=False)
    (theirs,) = at_yookassa(desk)
    assert "save_payment_method" not in theirs["request"]
    assert theirs["request"]["metadata"]["billing_mode"] == "ONE_TIME"
    desk.sandbox.pay("yookassa", order["transaction_id"], CARD)
    desk.settle()
    assert has_plan(ira)


def test_the_form_shows_the_refusal_as_a_page(desk: Desk, recurring: None) -> None:
    """The checkout form gets the same 403 as a page of its own, with the way on."""
    desk.sandbox.control("settings", yookassa_recurring=False)
    ira = desk.customer()

    page = ira.send("/checkout/PRO_MONTHLY", gateway="yookassa", accept_offer="y", accept_recurring="y")

    assert page.status_code == 403
    assert "Платёжная система временно недоступна" in page.text
    assert "деньги не списаны" in page.text.lower()


@pytest.mark.parametrize("fault", ("drop_before_commit", "garbage_502"))
def test_the_form_leads_to_the_page_that_asks(desk: Desk, fault: str) -> None:
    """After an answer that tells nothing the form leads to the order's own page, which says what is known."""
    ira = desk.customer()
    spoil(desk, "yookassa", "create_payment", fault)
    spoil(desk, "yookassa", "list_payments", "http_500", times=20)

    page = ira.send("/checkout/PRO_MONTHLY", gateway="yookassa", accept_offer="y")

    (left,) = orders(ira, "yookassa")
    assert page.url.endswith(f"/billing/payment/{left['transaction_id']}/return")
    assert "второй раз платить не нужно" in page.text


def test_a_throttled_form_may_be_sent_again(desk: Desk) -> None:
    """HTTP 429 means that nothing was looked at: the page says so, and the same form works a moment later."""
    ira = desk.customer()
    spoil(desk, "yookassa", "create_payment", "http_429")

    busy = ira.send("/checkout/PRO_MONTHLY", gateway="yookassa", accept_offer="y")
    assert busy.status_code == 502
    assert "деньги не списаны" in busy.text

    again = ira.send("/checkout/PRO_MONTHLY", gateway="yookassa", accept_offer="y")
    assert "/yookassa/checkout/" in again.url
    assert (len(orders(ira, "yookassa")), len(at_yookassa(desk))) == (1, 1)
