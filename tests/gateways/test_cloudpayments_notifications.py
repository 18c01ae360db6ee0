from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from portal.gateways.base import Outcome
from portal.gateways.cloudpayments import Kind, read
from portal.gateways.wire import MalformedNotification
from tests.gateways.cloudpayments_stage import KINDS, a_body, changed, read_form


@pytest.mark.parametrize("hint", (None, *KINDS, "nonsense"))
@pytest.mark.parametrize(
    ("name", "kind"),
    (
        ("check.form", Kind.CHECK),
        ("pay.form", Kind.PAY),
        ("pay-authorized.form", Kind.PAY),
        ("pay-sberpay.form", Kind.PAY),
        ("pay-sbp.form", Kind.PAY),
        ("fail.form", Kind.FAIL),
        ("confirm.form", Kind.CONFIRM),
        ("refund.form", Kind.REFUND),
        ("cancel.form", Kind.CANCEL),
        ("recurrent.form", Kind.RECURRENT),
        ("receipt.form", Kind.RECEIPT),
    ),
)
def test_the_kind_is_told_from_the_fields_whatever_the_address_says(
    name: str, kind: Kind, hint: str | None
) -> None:
    """Each kind is recognized on every kind's address: the signature does not cover the address."""
    assert read_form(a_body(name), hint).kind is kind


def test_a_pay_is_read_whole() -> None:
    """An observed Pay gives its money, its payer, its card and its token."""
    told = read_form(a_body("pay.form"), "pay")

    assert told.gateway_payment_id == "3355303842"
    assert told.gateway_refund_id is None
    assert told.reference == "7"
    assert told.account == "payer@example.com"
    assert (told.amount, told.currency) == (Decimal("10.00"), "RUB")
    assert told.test is False
    assert (told.status, told.outcome) == ("Completed", Outcome.SUCCEEDED)
    assert told.email == "payer@example.com"
    assert told.method_title == "Мир •• 7233"
    assert told.happened_at == datetime(2026, 2, 25, 19, 8, 11, tzinfo=UTC)
    assert told.subscription_id is None
    assert json.loads(told.fields["Data"]) == {"orderId": 7, "tariffCode": "STANDARD"}
    assert "Name" not in told.fields
    saved = told.saved_method
    assert saved is not None
    assert saved.token == "tk_0123456789abcdef0123456789abc"
    assert (saved.kind, saved.title, saved.last4, saved.brand) == ("bank_card", "Мир •• 7233", "7233", "Мир")
    assert (saved.expiry_month, saved.expiry_year) == (8, 2029)


def test_a_json_body_means_what_the_form_means() -> None:
    """The same Pay sent as JSON, with numbers, flags, nulls and nested data, reads the same."""
    form, as_json = (
        read_form(a_body("pay.form")),
        read(a_body("pay.json"), "application/json; charset=utf-8", kind="pay"),
    )

    for name in (
        "kind",
        "gateway_payment_id",
        "reference",
        "account",
        "amount",
        "currency",
        "test",
        "status",
    ):
        assert getattr(as_json, name) == getattr(form, name)
    assert as_json.saved_method == form.saved_method
    assert json.loads(as_json.fields["Data"]) == {"orderId": 7, "tariffCode": "STANDARD"}
    assert as_json.fields["CustomFields"] == "[]"


def test_a_query_string_is_read_like_a_form() -> None:
    """A notification sent by GET has no content type."""
    assert read(a_body("pay.form"), "", kind="pay") == read_form(a_body("pay.form"), "pay")


def test_a_refund_names_the_refund_and_the_payment() -> None:
    """TransactionId of a Refund is the refund's own; the payment stands in PaymentTransactionId."""
    told = read_form(a_body("refund.form"))

    assert (told.gateway_refund_id, told.gateway_payment_id) == ("3355400001", "3355303842")
    assert told.outcome is None
    assert told.currency is None


def test_a_fail_tells_why_and_when_to_try_again_and_gives_no_token() -> None:
    """A Fail carries its code, and the token that it may carry is not kept."""
    told = read_form(a_body("fail.form"))

    assert "Token" in told.fields
    assert told.saved_method is None
    assert (told.failure_code, told.failure_reason) == ("5051", "InsufficientFunds")
    assert told.retry_after == datetime(2026, 2, 26, 19, 8, 11, tzinfo=UTC)
    assert told.outcome is Outcome.FAILED


@pytest.mark.parametrize(
    ("status", "outcome"),
    (
        ("Completed", Outcome.SUCCEEDED),
        ("Authorized", Outcome.AUTHORIZED),
        ("Declined", Outcome.FAILED),
        ("Cancelled", Outcome.FAILED),
        ("AwaitingAuthentication", Outcome.PENDING),
        ("completed", None),
        ("Новый", None),
    ),
)
def test_only_a_completed_pay_is_a_success(status: str, outcome: Outcome | None) -> None:
    """A Pay that says Declined, Authorized or something unheard of is not taken for money."""
    told = read_form(changed("pay.form", Status=status), "pay")

    assert told.kind is Kind.PAY
    assert told.outcome is outcome
    assert (told.saved_method is not None) == (status in {"Completed", "Authorized"})


def test_a_check_is_never_a_success_though_it_says_completed() -> None:
    """A Check on the address for Pay stays a Check, says nothing about money, and leaves no token."""
    told = read_form(changed("check.form", Token="tk_1"), "pay")

    assert told.status == "Completed"
    assert told.kind is Kind.CHECK
    assert told.outcome is None
    assert told.saved_method is None


def test_a_pay_that_calls_itself_approved_is_no_failure() -> None:
    """ReasonCode 0 means approved, so it does not make a Fail of a Pay."""
    assert read_form(changed("pay.form", ReasonCode="0")).kind is Kind.PAY


@pytest.mark.parametrize(
    ("payment_method", "kind", "title"),
    (
        ("Sbp", "sbp", "СБП, OZON Bank Limited Liability Company"),
        ("SberPay", "sberbank", "SberPay"),
        ("T-Pay", "tinkoff_bank", "T-Pay"),
        ("TinkoffPay", "tinkoff_bank", "T-Pay"),
        ("MirPay", "bank_card", "Мир •• 7233"),
        ("", "bank_card", "Мир •• 7233"),
    ),
)
def test_a_saved_method_is_named_for_what_it_is(payment_method: str, kind: str, title: str) -> None:
    """A token of SBP or a wallet is not shown, nor charged, as if it were a card."""
    saved = read_form(changed("pay.form", PaymentMethod=payment_method)).saved_method

    assert saved is not None
    assert (saved.kind, saved.title) == (kind, title)
    assert (saved.last4 is not None) == (kind == "bank_card")


def test_a_confirm_without_its_own_fields_is_believed_only_on_its_address() -> None:
    """Confirm has no field of its own; without AuthCode, Rrn and Token only the address can tell."""
    bare = changed("confirm.form", AuthCode=None, Rrn=None, Token=None)

    assert read_form(bare, "confirm").kind is Kind.CONFIRM
    with pytest.raises(MalformedNotification):
        read_form(bare, "pay")


@pytest.mark.parametrize("missing", ("GatewayName", "Status", "TransactionId"))
def test_a_pay_without_what_makes_it_one_is_no_pay(missing: str) -> None:
    """GatewayName, Status and TransactionId are all needed, empty counting as missing."""
    for value in ("", None):
        try:
            kind = read_form(changed("pay.form", **{missing: value}), "pay").kind
        except MalformedNotification:
            continue
        assert kind is not Kind.PAY


@pytest.mark.parametrize(
    ("value", "test"), (("1", True), ("true", True), ("True", True), ("0", False), ("False", False))
)
def test_the_test_flag_is_read_in_both_spellings(value: str, test: bool) -> None:
    """TestMode is a bit in forms and may be a Bool elsewhere."""
    assert read_form(changed("pay.form", TestMode=value)).test is test


def test_a_notification_shows_no_token_and_no_mail_in_its_repr() -> None:
    """What may end in a log line or a traceback names neither the token nor the payer."""
    shown = repr(read_form(a_body("pay.form")))

    assert "tk_0123456789abcdef0123456789abc" not in shown
    assert "Email" not in shown
