"""CloudPayments' notifications: what kind a signed body is, and what it says.

A body does not carry its kind, and the signature covers neither the kind nor the address it was sent to: a
Check (which already says ``Status=Completed``) verifies on the address for Pay too. So the kind is told from
the fields that only it has, and the address is no more than a hint. In this order (empty and missing are
alike):

| kind      | told by                                                                                        |
|-----------|------------------------------------------------------------------------------------------------|
| recurrent | ``Id``, ``Interval`` and ``Period``                                                            |
| receipt   | ``DocumentNumber`` and ``FiscalSign``                                                          |
| refund    | ``PaymentTransactionId``, ``TransactionId``                                                    |
| fail      | ``ReasonCode`` other than 0 (which means approved), ``TransactionId``                          |
| pay       | ``GatewayName``, ``TransactionId``, ``Status``                                                 |
| cancel    | the address says so, ``TransactionId``, ``Amount``, no ``Status``                              |
| check     | ``OperationType`` without a bank's traces, and ``Status`` or ``Amount`` with ``Currency``      |
| confirm   | ``Status``, ``Currency`` and a bank's traces: ``AuthCode``, ``Rrn`` or ``Token``; or the       |
|           | address says so                                                                                |
| check     | the address says so, ``Amount`` with ``Currency``                                              |
| cancel    | ``TransactionId``, ``Amount``, no ``Currency``                                                 |

Anything else is malformed. The tables behind this: https://developers.cloudpayments.ru/, "Уведомления".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from portal.billing_mode import BillingMode
from portal.gateways.base import Outcome, SavedMethod
from portal.gateways.cloudpayments import reading
from portal.gateways.cloudpayments.fields import fields_of
from portal.gateways.titles import brand_title, last_four, method_title
from portal.gateways.wire import MalformedNotification
from portal.money import NotAnAmount, money


class Kind(StrEnum):
    """What a notification is about; also the last part of its address."""

    CHECK = "check"
    PAY = "pay"
    FAIL = "fail"
    CONFIRM = "confirm"
    REFUND = "refund"
    CANCEL = "cancel"
    RECURRENT = "recurrent"
    RECEIPT = "receipt"


#: Fields that a bank's or the gateway's own act leaves behind; no Check has any of them.
CAPTURED = frozenset({"AuthCode", "Rrn", "Token"})


@dataclass(frozen=True, slots=True)
class CloudPaymentsNotification:
    """What a notification says, in our words; a value that is missing or cannot be read is ``None``."""

    kind: Kind
    gateway_payment_id: str | None  # of a refund: the payment that was refunded
    gateway_refund_id: str | None
    reference: str | None  # InvoiceId: our transaction_id
    account: str | None
    amount: Decimal | None
    currency: str | None
    test: bool | None
    status: str | None  # the gateway's word: Completed, Authorized, Declined, Active, …
    email: str | None = field(repr=False)
    saved_method: SavedMethod | None
    method_title: str | None
    failure_code: str | None
    failure_reason: str | None
    retry_after: datetime | None
    happened_at: datetime | None
    subscription_id: str | None
    fields: Mapping[str, str] = field(repr=False)  # as text, without the empty ones

    @property
    def billing_mode(self) -> str | None:
        """The mode that our order wrote into ``Data``; ``None`` where that is not there or is another's."""
        try:
            data = json.loads(self.fields.get("Data", ""))
        except (ValueError, RecursionError):
            return None
        said = data.get("billing_mode") if isinstance(data, dict) else None
        return said if isinstance(said, str) and said in set(BillingMode) else None

    @property
    def outcome(self) -> Outcome | None:
        """What the notification says about the payment's money; ``None`` where it says nothing about it.

        A Pay whose status is Declined is no success, and one that is Authorized is a hold.
        """
        if self.kind in {Kind.FAIL, Kind.CANCEL}:
            return Outcome.FAILED
        if self.kind in {Kind.PAY, Kind.CONFIRM}:
            return reading.OUTCOMES.get(self.status or "")
        return None


def read(raw: bytes, content_type: str, *, kind: str | None) -> CloudPaymentsNotification:
    """Read an authentic body; *kind* is what the address says, if it says anything.

    Raises MalformedNotification when the body cannot be read, fits no kind, or lacks a usable id.
    """
    fields = fields_of(raw, content_type)
    # Empty and missing fields mean the same and were seen to change places.
    said = {name: value for name, value in fields.items() if value}
    return _described(_kind(said, kind), said)


def _kind(said: Mapping[str, str], hint: str | None) -> Kind:
    """Tell the kind by the table above."""
    names = said.keys()
    if {"Id", "Interval", "Period"} <= names:
        return Kind.RECURRENT
    if {"DocumentNumber", "FiscalSign"} <= names:
        return Kind.RECEIPT
    if "TransactionId" not in names:
        raise MalformedNotification
    if "PaymentTransactionId" in names:
        return Kind.REFUND
    if said.get("ReasonCode", "0") != "0":
        return Kind.FAIL
    if "GatewayName" in names and "Status" in names:
        return Kind.PAY
    return _quiet_kind(said, hint)


def _quiet_kind(said: Mapping[str, str], hint: str | None) -> Kind:
    """Tell apart the kinds that have no field of their own."""
    names = said.keys()
    if "GatewayName" in names:
        raise MalformedNotification
    captured = bool(names & CAPTURED) and {"Status", "Currency"} <= names
    # The address settles what no field does.
    if hint == Kind.CONFIRM and captured:
        return Kind.CONFIRM
    if hint == Kind.CANCEL and "Amount" in names and "Status" not in names:
        return Kind.CANCEL
    if "OperationType" in names:
        if "Status" in names or {"Amount", "Currency"} <= names:
            return Kind.CHECK
        raise MalformedNotification
    if captured or (hint == Kind.CONFIRM and {"Status", "Currency"} <= names):
        return Kind.CONFIRM
    if hint == Kind.CHECK and {"Amount", "Currency"} <= names:
        return Kind.CHECK
    if "Amount" in names and "Currency" not in names:
        return Kind.CANCEL
    raise MalformedNotification


def _described(kind: Kind, said: Mapping[str, str]) -> CloudPaymentsNotification:
    """Translate the fields of a notification of *kind*."""
    transaction, original = _id(said, "TransactionId"), _id(said, "PaymentTransactionId")
    is_refund = kind is Kind.REFUND
    return CloudPaymentsNotification(
        kind=kind,
        gateway_payment_id=original if is_refund else transaction,
        gateway_refund_id=transaction if is_refund else None,
        reference=said.get("InvoiceId"),
        account=said.get("AccountId"),
        amount=_amount(said),
        currency=said.get("Currency"),
        test=_flag(said, "TestMode"),
        status=said.get("Status"),
        email=said.get("Email"),
        saved_method=_saved_method(kind, said),
        method_title=_method_title(said),
        failure_code=said.get("ReasonCode") if kind is Kind.FAIL else None,
        failure_reason=said.get("Reason") if kind is Kind.FAIL else None,
        retry_after=reading.moment(said.get("RetryAfter")),
        happened_at=reading.moment(said.get("DateTime")),
        subscription_id=said.get("Id") if kind is Kind.RECURRENT else said.get("SubscriptionId"),
        fields=said,
    )


def _id(said: Mapping[str, str], name: str) -> str | None:
    """An id of a transaction. A notification about something that has no possible id is malformed."""
    value = said.get(name)
    if value is not None and not reading.is_id(value):
        raise MalformedNotification
    return value


def _amount(said: Mapping[str, str]) -> Decimal | None:
    try:
        return money(said.get("Amount", ""))
    except NotAnAmount:
        return None


def _flag(said: Mapping[str, str], name: str) -> bool | None:
    """Read a flag, which is 1 or 0 in a form and was documented as a Bool, too."""
    return {"1": True, "true": True, "0": False, "false": False}.get(said.get(name, "").lower())


def _saved_method(kind: Kind, said: Mapping[str, str]) -> SavedMethod | None:
    """The token, if the payment that made it went through. A Fail may carry one as well: nobody agreed to
    that.
    """
    went_through = kind in {Kind.PAY, Kind.CONFIRM} and said.get("Status") in {"Completed", "Authorized"}
    if "Token" not in said or not went_through:
        return None
    return reading.saved_method(
        said["Token"],
        payment_method=said.get("PaymentMethod"),
        card_type=said.get("CardType"),
        last4=said.get("CardLastFour"),
        expires=said.get("CardExpDate"),
        bank=said.get("Issuer"),
    )


def _method_title(said: Mapping[str, str]) -> str | None:
    """What was paid with; nothing for the kinds that do not say."""
    if not said.keys() & {"CardLastFour", "CardType", "PaymentMethod"}:
        return None
    return method_title(
        reading.method_kind(said.get("PaymentMethod")),
        brand=brand_title(said.get("CardType")),
        last4=last_four(said.get("CardLastFour")),
        bank=said.get("Issuer"),
    )
