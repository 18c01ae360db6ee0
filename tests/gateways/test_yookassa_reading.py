from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from portal.gateways.base import (
    GatewayUnknown,
    Outcome,
)
from tests.gateways.stage import answer
from tests.gateways.yookassa_stage import (
    ID,
    OTHER_ID,
    Start,
    a_gateway,
    a_payment,
)


def test_a_success_is_read_whole(start_server: Start) -> None:
    """Money, shop, test flag, times, the card, and the method that was saved."""
    snapshot = a_gateway(start_server(answer(200, a_payment("ref")))).fetch_by_id(ID)

    assert snapshot is not None
    assert snapshot.outcome is Outcome.SUCCEEDED
    assert (snapshot.amount, snapshot.currency) == (Decimal("2.00"), "RUB")
    assert (snapshot.reference, snapshot.account) == ("ref", "17")
    assert (snapshot.shop, snapshot.test) == ("100500", False)
    assert snapshot.refunded == Decimal("0.00")
    assert snapshot.happened_at == datetime(2018, 7, 18, 17, 20, 50, 825000, tzinfo=UTC)
    assert snapshot.method_title == "Мир •• 4444"
    assert snapshot.failure_code is None
    saved = snapshot.saved_method
    assert saved is not None
    assert (saved.token, saved.kind, saved.title) == (ID, "bank_card", "Мир •• 4444")
    assert (saved.last4, saved.brand, saved.bank) == ("4444", "Мир", "Sberbank")
    assert (saved.expiry_month, saved.expiry_year) == (7, 2022)
    assert ID not in repr(saved)


@pytest.mark.parametrize("saved", (False, None, "true", 1))
def test_a_method_is_saved_only_when_yookassa_says_so(saved: Any, start_server: Start) -> None:
    """Anything but a plain true keeps no method."""
    told = a_payment()
    told["payment_method"]["saved"] = saved

    snapshot = a_gateway(start_server(answer(200, told))).fetch_by_id(ID)

    assert snapshot is not None
    assert snapshot.saved_method is None
    assert snapshot.method_title == "Мир •• 4444"


@pytest.mark.parametrize(
    ("method", "title"),
    (
        (
            {"type": "sbp", "payer_bank_details": {"bank_id": "100000000004", "bank_name": "Т-Банк"}},
            "СБП, Т-Банк",
        ),
        ({"type": "sbp", "payer_bank_details": {"bank_id": "100000000004", "bic": "044525974"}}, "СБП"),
        ({"type": "sberbank", "phone": "79000000000"}, "SberPay"),
        ({"type": "tinkoff_bank"}, "T-Pay"),
        ({"type": "yoo_money", "account_number": "410011111111"}, "ЮMoney"),
        ({"type": "bank_card", "card": {"last4": "4242", "card_type": "Visa"}}, "Visa •• 4242"),
        ({"type": "bank_card", "card": {"last4": "4242", "card_type": "Unknown"}}, "Карта •• 4242"),
        (
            {"type": "bank_card", "card": {"first6": None, "last4": None, "card_type": None}},
            "Банковская карта",
        ),
        ({"type": "bank_card", "card": None}, "Банковская карта"),
        ({"type": "something_new"}, "something_new"),
    ),
)
def test_what_was_paid_with_is_named_to_people(
    method: dict[str, Any], title: str, start_server: Start
) -> None:
    """Every means of payment has a name; nulls that break the SDK's models are harmless."""
    told = a_payment(payment_method={"id": ID, "saved": True, **method})

    snapshot = a_gateway(start_server(answer(200, told))).fetch_by_id(ID)

    assert snapshot is not None
    assert snapshot.method_title == title
    assert snapshot.saved_method is not None
    assert snapshot.saved_method.title == title


@pytest.mark.parametrize(
    ("status", "outcome"),
    (
        ("pending", Outcome.PENDING),
        ("waiting_for_capture", Outcome.AUTHORIZED),
        ("succeeded", Outcome.SUCCEEDED),
        ("canceled", Outcome.FAILED),
    ),
)
def test_statuses_become_our_words(status: str, outcome: Outcome, start_server: Start) -> None:
    """Each documented status has one meaning."""
    snapshot = a_gateway(start_server(answer(200, a_payment(status=status)))).fetch_by_id(ID)

    assert snapshot is not None
    assert snapshot.outcome is outcome


@pytest.mark.parametrize(
    "changes",
    (
        {"status": "cancelled"},
        {"status": None},
        {"amount": None},
        {"amount": {"value": 2.0, "currency": "RUB"}},
        {"amount": {"value": "2.005", "currency": "RUB"}},
        {"amount": {"value": "2.00"}},
        {"refunded_amount": {"value": "x", "currency": "RUB"}},
        {"id": None},
        {"id": OTHER_ID},
    ),
)
def test_a_payment_that_cannot_be_read_is_unknown(changes: dict[str, Any], start_server: Start) -> None:
    """Whatever it was, it happened: no half-read payment is passed on."""
    with pytest.raises(GatewayUnknown):
        a_gateway(start_server(answer(200, a_payment(**changes)))).fetch_by_id(ID)


@pytest.mark.parametrize(
    "changes",
    (
        {"metadata": None, "recipient": None, "payment_method": None, "test": None, "captured_at": None},
        {"metadata": [], "recipient": "x", "payment_method": 1, "test": "false", "captured_at": "yesterday"},
        {"captured_at": "0001-01-01T00:00:00+14:00", "cancellation_details": None, "income_amount": None},
    ),
)
def test_what_may_be_missing_may_be_missing(changes: dict[str, Any], start_server: Start) -> None:
    """Optional parts in any shape leave their values unsaid, and the money readable."""
    told = {k: v for k, v in a_payment().items() if k != "refunded_amount"} | changes

    snapshot = a_gateway(start_server(answer(200, told))).fetch_by_id(ID)

    assert snapshot is not None
    assert snapshot.amount == Decimal("2.00")
    assert snapshot.happened_at is None
    assert snapshot.refunded is None


@pytest.mark.parametrize(
    ("income", "fee"),
    (
        ({"value": "1.91", "currency": "RUB"}, "0.09"),
        ({"value": "2.00", "currency": "RUB"}, "0.00"),
        (None, None),
        ({"value": "2.01", "currency": "RUB"}, None),
        ({"value": "1,91", "currency": "RUB"}, None),
    ),
)
def test_the_fee_is_what_does_not_reach_the_shop(
    income: object, fee: str | None, start_server: Start
) -> None:
    """The sum less the shop's income, which is less the VAT on the fee too; else it is not known."""
    told = a_payment(status="succeeded", income_amount=income)

    snapshot = a_gateway(start_server(answer(200, told))).fetch_by_id(ID)

    assert snapshot is not None
    assert snapshot.fee == (Decimal(fee) if fee else None)
