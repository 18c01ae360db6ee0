"""Recurring payments that CloudPayments makes itself, by the sandbox's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from portal.sandbox.cloudpayments.subscriptions import after
from tests.sandbox.cloudpayments_shop import SUCCESS, CloudShop


def subscribe(cp: CloudShop, saved: str, **more: Any) -> Any:
    """Start a daily subscription of 399 roubles, the first payment in a day."""
    start = cp.sandbox.world.clock.now() + timedelta(days=1)
    body = {
        "token": saved,
        "accountId": "user_x",
        "description": "Подписка",
        "email": "user@example.com",
        "amount": 399,
        "currency": "RUB",
        "requireConfirmation": False,
        "startDate": start.strftime("%Y-%m-%dT%H:%M:%S"),
        "interval": "Day",
        "period": 1,
        **more,
    }
    return cp.call("/subscriptions/create", **body)


def state(cp: CloudShop, subscription_id: str) -> tuple[str, int, int]:
    """Status and both counters, as subscriptions/get tells them."""
    model = cp.call("/subscriptions/get", Id=subscription_id)["Model"]
    return model["Status"], model["SuccessfulTransactionsNumber"], model["FailedTransactionsNumber"]


def statuses(cp: CloudShop) -> list[str]:
    """What Recurrent has told so far."""
    return [hook["Status"] for hook in cp.hooks("recurrent")]


def test_create_answers_the_documented_model(cp: CloudShop) -> None:
    """Create answers an Active subscription whose next payment is its start."""
    model = subscribe(cp, cp.token(), period=5)["Model"]
    expected = {
        "AccountId": "user_x",
        "Amount": 399,
        "Currency": "RUB",
        "IntervalCode": 2,
        "Interval": "Day",
        "Period": 5,
        "MaxPeriods": None,
        "StatusCode": 0,
        "Status": "Active",
        "SuccessfulTransactionsNumber": 0,
        "FailedTransactionsNumber": 0,
        "LastTransactionDate": None,
        "RequireConfirmation": False,
    }

    assert {name: model[name] for name in expected} == expected
    assert model["Id"].startswith("sc_")
    assert len(model["Id"]) == 32
    assert model["NextTransactionDateIso"] == model["StartDateIso"]


@pytest.mark.parametrize(
    ("change", "message"),
    (
        ({"token": "tk_unknown"}, "Token not found"),
        ({"accountId": ""}, "AccountId is required"),
        ({"startDate": "2020-01-01T00:00:00"}, "StartDate must be in the future"),
        ({"startDate": "tomorrow"}, "Invalid StartDate value"),
        ({"interval": "Year"}, "Invalid Interval value"),
        ({"period": 0}, "Invalid Period value"),
        ({"interval": "Month", "period": 13}, "Invalid Period value"),
        ({"maxPeriods": 0}, "Invalid MaxPeriods value"),
        ({"requireConfirmation": "maybe"}, "Invalid RequireConfirmation value"),
        ({"description": ""}, "Description is required"),
    ),
)
def test_a_malformed_subscription(cp: CloudShop, change: dict[str, Any], message: str) -> None:
    """Wrong terms are refused by name, and nothing begins."""
    assert subscribe(cp, cp.token(), **change)["Message"] == message
    assert cp.call("/subscriptions/find", accountId="user_x") == {
        "Model": [],
        "Success": True,
        "Message": None,
    }


def test_regular_payments_until_the_last(cp: CloudShop) -> None:
    """Each day brings one payment with Check and Pay; after MaxPeriods the subscription is Expired."""
    token = cp.token()
    number = subscribe(cp, token, maxPeriods=3)["Model"]["Id"]
    cp.hook("pay")
    cp.merchant.hooks.clear()
    cp.advance("10d")

    pays = cp.hooks("pay")
    assert state(cp, number) == ("Expired", 3, 0)
    assert [(pay["Amount"], pay["SubscriptionId"], pay["AccountId"]) for pay in pays] == [
        ("399.00", number, "user_x")
    ] * 3
    assert len(cp.hooks("check")) == 3
    assert statuses(cp) == ["Expired"]
    days = [pay["DateTime"][:10] for pay in pays]
    assert len(set(days)) == 3


def test_failures_are_tried_daily_and_rejected_at_the_third(cp: CloudShop) -> None:
    """One failure makes it PastDue, the next day's is tried again, the third failure in a row is Rejected."""
    token = cp.token()
    number = subscribe(cp, token, interval="Month")["Model"]["Id"]
    cp.sandbox.control("cards", token=token, outcome="InsufficientFunds")
    seen = []
    for _ in range(4):
        cp.advance("1d")
        seen.append(state(cp, number))

    assert seen == [("PastDue", 0, 1), ("PastDue", 0, 2), ("Rejected", 0, 3), ("Rejected", 0, 3)]
    assert statuses(cp) == ["PastDue", "Rejected"]
    assert [fail["SubscriptionId"] for fail in cp.hooks("fail")] == [number] * 3
    assert cp.call("/subscriptions/get", Id=number)["Model"]["NextTransactionDate"] is None


def test_a_success_resets_the_failures(cp: CloudShop) -> None:
    """After a failure the retry's success makes it Active again and keeps the planned rhythm."""
    token = cp.token()
    made = subscribe(cp, token, interval="Week")["Model"]
    cp.sandbox.control("cards", token=token, outcome="5051", times=1)
    cp.advance("25h")
    cp.advance("1d")
    model = cp.call("/subscriptions/get", Id=made["Id"])["Model"]

    assert (model["Status"], model["SuccessfulTransactionsNumber"], model["FailedTransactionsNumber"]) == (
        "Active",
        1,
        0,
    )
    assert statuses(cp) == ["PastDue", "Active"]
    planned = datetime.fromisoformat(made["StartDateIso"]) + timedelta(days=7)
    assert model["NextTransactionDateIso"] == planned.isoformat()


def test_cancel(cp: CloudShop) -> None:
    """A cancelled subscription is told once by Recurrent and never charged again."""
    number = subscribe(cp, cp.token())["Model"]["Id"]
    first = cp.call("/subscriptions/cancel", Id=number)
    cp.call("/subscriptions/cancel", Id=number)
    cp.advance("5d")

    assert first == {"Success": True, "Message": None}
    assert state(cp, number) == ("Cancelled", 0, 0)
    assert statuses(cp) == ["Cancelled"]
    assert len(cp.payments()) == 1
    assert cp.call("/subscriptions/cancel", Id="sc_unknown")["Success"] is False
    assert cp.call("/subscriptions/get", Id="sc_unknown")["Success"] is False


def test_the_fields_of_recurrent(cp: CloudShop) -> None:
    """Recurrent carries the agreement, its state and its dates."""
    number = subscribe(cp, cp.token(), maxPeriods=7)["Model"]["Id"]
    cp.call("/subscriptions/cancel", Id=number)
    fields = cp.hook("recurrent")
    expected = {
        "Id": number,
        "AccountId": "user_x",
        "Amount": "399.00",
        "Interval": "Day",
        "Period": "1",
        "RequireConfirmation": "0",
        "Status": "Cancelled",
        "MaxPeriods": "7",
        "NextTransactionDate": "",
        "SuccessfulTransactionsNumber": "0",
    }

    assert {name: fields[name] for name in expected} == expected
    assert "TransactionId" not in fields


def test_update_revives_what_has_ended(cp: CloudShop) -> None:
    """The documented danger: changing anything makes a cancelled subscription Active, and nobody is told."""
    number = subscribe(cp, cp.token())["Model"]["Id"]
    cp.call("/subscriptions/cancel", Id=number)
    cp.hook("recurrent")
    model = cp.call("/subscriptions/update", Id=number, Description="другое", Amount=100)["Model"]
    cp.advance("25h")

    assert (model["Status"], model["Description"], model["Amount"]) == ("Active", "другое", 100)
    assert cp.payments()[-1]["amount"] == "100.00"
    assert statuses(cp) == ["Cancelled"]


def test_update_moves_the_next_payment(cp: CloudShop) -> None:
    """A later StartDate is a pause."""
    number = subscribe(cp, cp.token())["Model"]["Id"]
    later = (cp.sandbox.world.clock.now() + timedelta(days=10)).strftime("%Y-%m-%dT%H:%M:%S")
    cp.call("/subscriptions/update", Id=number, StartDate=later)
    cp.advance("9d")
    assert len(cp.payments()) == 1
    cp.advance("26h")
    assert len(cp.payments()) == 2
    assert cp.call("/subscriptions/update", Id=number, Interval="Month", Period=40)["Success"] is False


@pytest.mark.parametrize("new_api", (True, False))
def test_a_first_payment_begins_a_subscription(cp: CloudShop, new_api: bool) -> None:
    """Recurrent of the widget, new or old, starts a subscription that the first Pay already names."""
    recurrent = {"interval": "Month", "period": 1, "amount": 500, "maxPeriods": 12}
    widget: dict[str, Any] = {"amount": 990, "currency": "RUB", "userInfo": {"accountId": "user_x"}}
    if new_api:
        widget["recurrent"] = recurrent
    else:
        widget["metadata"] = {"CloudPayments": {"recurrent": recurrent}}
    cp.pay("7", widget=widget)
    number = cp.hook("pay")["SubscriptionId"]
    [model] = cp.call("/subscriptions/find", AccountId="user_x")["Model"]

    assert (model["Id"], model["Status"], model["Amount"], model["MaxPeriods"]) == (number, "Active", 500, 12)
    assert cp.hook("pay")["Token"] == ""
    cp.advance("32d")
    assert [(entry["amount"], entry["source"]) for entry in cp.payments()] == [
        ("990.00", "widget"),
        ("500.00", "subscription"),
    ]
    assert state(cp, number) == ("Active", 1, 0)


def test_recurrent_needs_an_account(cp: CloudShop) -> None:
    """Recurrent without userInfo.accountId is refused before anything is paid."""
    answer = cp.sandbox.world.simulators["cloudpayments"]
    widget = {"amount": 990, "currency": "RUB", "recurrent": {"interval": "Month", "period": 1}}

    with pytest.raises(Exception, match="accountId is required"):
        answer.pay("7", SUCCESS, {"widget": widget})
    assert cp.payments() == []


def test_a_two_stage_subscription_holds(cp: CloudShop) -> None:
    """With RequireConfirmation the regular payment is only a hold."""
    subscribe(cp, cp.token(), requireConfirmation=True, maxPeriods=1)
    cp.advance("25h")

    assert cp.payments()[-1]["status"] == "authorized"


def test_recurrent_on_creation_is_a_setting(cp: CloudShop) -> None:
    """Whether a new subscription is told is not documented."""
    cp.settings(cloudpayments_recurrent_on_create=True)
    subscribe(cp, cp.token())

    assert cp.hook("recurrent")["Status"] == "Active"


@pytest.mark.parametrize(
    ("start", "interval", "count", "anchor", "expected"),
    (
        ("2027-01-31", "Month", 1, 31, "2027-02-28"),
        ("2027-02-28", "Month", 1, 31, "2027-03-31"),
        ("2028-01-30", "Month", 1, 30, "2028-02-29"),
        ("2026-12-15", "Month", 1, 15, "2027-01-15"),
        ("2026-11-15", "Month", 14, 15, "2028-01-15"),
        ("2026-12-31", "Day", 1, 31, "2027-01-01"),
        ("2026-12-31", "Week", 2, 31, "2027-01-14"),
    ),
)
def test_intervals(start: str, interval: str, count: int, anchor: int, expected: str) -> None:
    """Months end on their last day and come back to the day on which the subscription began."""
    moment = datetime.fromisoformat(start).replace(tzinfo=UTC)

    assert after(moment, interval, count, anchor).date().isoformat() == expected
