from __future__ import annotations

import logging
from copy import deepcopy
from decimal import Decimal

import pytest
from yookassa.domain.request import PaymentRequest

from portal.gateways.base import BillingMode
from portal.gateways.yookassa import build_yookassa_payment_payload
from tests.gateways.stage import an_order

SAVED = "22e18a2f-000f-5000-a000-1db6312b7767"


def test_one_time_is_the_seeds_payload_and_nothing_more() -> None:
    """ONE_TIME leaves save_payment_method, payment_method_data and merchant_customer_id out altogether."""
    assert build_yookassa_payment_payload(an_order()) == {
        "amount": {"value": "990.00", "currency": "RUB"},
        "confirmation": {
            "type": "redirect",
            "return_url": "https://shop.example/billing/payment/0f0e1d2c/return",
        },
        "capture": True,
        "description": "Подписка PRO",
        "metadata": {
            "payment_id": "0f0e1d2c-3b4a-4958-8776-655443322110",
            "user_id": "17",
            "plan_code": "PRO_MONTHLY",
            "billing_mode": "ONE_TIME",
        },
    }


def test_recurring_adds_the_request_to_save_and_its_mark() -> None:
    """RECURRING differs from ONE_TIME by save_payment_method and by the mode in the metadata only."""
    once = build_yookassa_payment_payload(an_order())
    again = build_yookassa_payment_payload(an_order(billing_mode=BillingMode.RECURRING, save_method=True))

    assert again.pop("save_payment_method") is True
    assert again["metadata"].pop("billing_mode") == "RECURRING"
    assert once["metadata"].pop("billing_mode") == "ONE_TIME"
    assert again == once


@pytest.mark.parametrize(
    ("mode", "consent"),
    ((BillingMode.RECURRING, False), (BillingMode.ONE_TIME, True), (BillingMode.ONE_TIME, False)),
)
def test_nothing_is_saved_without_consent_or_outside_recurring(mode: BillingMode, consent: bool) -> None:
    """Only recurring mode and the customer's consent together ask to save a method."""
    payload = build_yookassa_payment_payload(an_order(billing_mode=mode, save_method=consent))

    assert "save_payment_method" not in payload
    assert payload["metadata"]["billing_mode"] == mode.value


@pytest.mark.parametrize(
    ("mode", "consent", "line"),
    (
        (BillingMode.ONE_TIME, False, "mode=ONE_TIME, save_payment_method=False, amount=990.00"),
        (BillingMode.RECURRING, True, "mode=RECURRING, save_payment_method=True, amount=990.00"),
    ),
)
def test_the_line_that_runbooks_grep_for_is_logged(
    mode: BillingMode, consent: bool, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The words of the log line are the contract's, at INFO, and nothing else is in it."""
    with caplog.at_level(logging.INFO, "portal.gateways.yookassa"):
        build_yookassa_payment_payload(an_order(billing_mode=mode, save_method=consent))

    assert [record.getMessage() for record in caplog.records] == [f"Built YooKassa payload: {line}"]
    assert caplog.records[0].name == "portal.gateways.yookassa"
    assert caplog.records[0].levelno == logging.INFO


def test_a_charge_of_a_saved_method_has_no_page_and_saves_nothing() -> None:
    """payment_method_id replaces the confirmation; the rest of the payload is the same."""
    order = an_order(billing_mode=BillingMode.RECURRING, save_method=True)
    payload = build_yookassa_payment_payload(order, payment_method_id=SAVED)

    assert payload["payment_method_id"] == SAVED
    assert "confirmation" not in payload
    assert "save_payment_method" not in payload
    assert payload["capture"] is True


def test_a_long_description_is_cut_to_what_the_api_takes() -> None:
    """The API refuses more than 128 characters, and a plan's title is no reason to sell nothing."""
    assert len(build_yookassa_payment_payload(an_order(description="я" * 300))["description"]) == 128


def test_an_amount_that_would_need_rounding_is_refused() -> None:
    """No payload is built for a sum that is not exact kopecks."""
    with pytest.raises(ValueError, match="kopeck"):
        build_yookassa_payment_payload(an_order(amount=Decimal("990.005")))


@pytest.mark.parametrize("saved", (None, SAVED))
def test_the_sdks_own_rules_agree_with_the_payload(saved: str | None) -> None:
    """The official request model accepts the payload and would say the same of every field."""
    payload = build_yookassa_payment_payload(
        an_order(billing_mode=BillingMode.RECURRING, save_method=True), payment_method_id=saved
    )
    model = PaymentRequest(deepcopy(payload))
    model.validate()

    assert {name: value for name, value in dict(model).items() if value != []} == payload
