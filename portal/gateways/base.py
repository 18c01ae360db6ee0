"""The contract between billing and a payment gateway: value objects, errors and the promises of each call.

A gateway never sees a row and billing never sees a gateway's words. Statuses, reasons and amounts are
translated at this door. What may have happened to money is told by the kind of error, and by nothing else:

* :class:`GatewayRejected` (and :class:`GatewayForbidden`): the gateway said no; nothing happened; a corrected
  attempt takes a **new** key.
* :class:`GatewayThrottled`: nothing happened yet; the same request with the **same** key, later.
* :class:`GatewayUnknown`: nobody can tell; ask with :meth:`Gateway.fetch`, or repeat the same request with
  the **same** key.

A declined card is not an error: it is a :class:`PaymentSnapshot` whose outcome is ``FAILED``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

from portal.billing_mode import BillingMode
from portal.errors import PortalError
from portal.gateways.shop import ReceiptTerms, ShopReport
from portal.wording import marked


class Outcome(StrEnum):
    """What a gateway holds true about a payment, in our words."""

    PENDING = "pending"
    AUTHORIZED = "authorized"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class SavedMethod:
    """A method the gateway agreed to charge again. Fields of a card are ``None`` for SBP, SberPay and
    wallets.
    """

    token: str = field(repr=False)
    kind: str  # bank_card, sbp, sberbank, tinkoff_bank, yoo_money, ...
    title: str  # "Visa •• 4242", "СБП, Т-Банк"
    last4: str | None = None
    brand: str | None = None
    expiry_month: int | None = None
    expiry_year: int | None = None
    bank: str | None = None


@dataclass(frozen=True, slots=True)
class PaymentSnapshot:
    """What a gateway says about one payment at one moment."""

    gateway_payment_id: str
    outcome: Outcome
    amount: Decimal
    currency: str
    reference: str | None  # our transaction_id, as the gateway gives it back
    test: bool | None  # None: the gateway did not say
    shop: str | None = None  # whose money it is: YooKassa's recipient.account_id, CloudPayments' PublicId
    account: str | None = None  # CloudPayments' AccountId; YooKassa's metadata.user_id
    refunded: Decimal | None = None
    method_title: str | None = None  # what was paid with, saved or not
    saved_method: SavedMethod | None = None
    failure_code: str | None = None  # the gateway's own code; gateways.declines has the sentence
    happened_at: datetime | None = None  # UTC; capture or refusal by the gateway's clock
    confirmation_url: str | None = None
    retry_after: datetime | None = None  # not to be charged again before that
    created_at: datetime | None = None  # UTC; the moment by which the gateway lists it
    fee: Decimal | None = None  # what the gateway keeps of it, where it says so
    needs_payer: bool = False  # pending, and without the payer's own act it stays so


@dataclass(frozen=True, slots=True)
class PaymentOrder:
    """All that a gateway is told about a payment; frozen in our database before any gateway hears of it."""

    transaction_id: str
    amount: Decimal
    currency: str
    description: str
    plan_code: str
    user_id: str
    account: str  # the payer's opaque public id
    email: str
    billing_mode: BillingMode
    save_method: bool  # True only with the customer's recorded consent
    return_url: str
    created_at: datetime
    gateway_payment_id: str | None = None
    receipt: ReceiptTerms | None = None


@dataclass(frozen=True, slots=True)
class NextStep:
    """Where the customer goes next: a page of the gateway, or a widget in ours."""

    confirmation_url: str | None = None
    widget: Mapping[str, Any] | None = None
    snapshot: PaymentSnapshot | None = None


@dataclass(frozen=True, slots=True)
class RefundSnapshot:
    """What a gateway says about one refund."""

    gateway_refund_id: str
    gateway_payment_id: str
    outcome: Outcome  # PENDING, SUCCEEDED or FAILED
    amount: Decimal
    currency: str
    failure_code: str | None = None
    happened_at: datetime | None = None
    created_at: datetime | None = None  # UTC; the moment by which the gateway lists it


@dataclass(frozen=True, slots=True)
class BindingOrder:
    """A request to remember a method without taking money."""

    key: str
    user_id: str
    return_url: str


@dataclass(frozen=True, slots=True)
class BindingSnapshot:
    """What a gateway says about a binding. ``method`` is there once ``outcome`` is SUCCEEDED."""

    gateway_method_id: str
    outcome: Outcome
    user_id: str | None = None
    reference: str | None = None
    shop: str | None = None
    test: bool | None = None
    confirmation_url: str | None = None
    method: SavedMethod | None = None


class GatewayError(PortalError):
    """A call to a gateway did not give an answer that can be used."""

    code = "GATEWAY_ERROR"
    status = 502
    message = marked("Платёжная система ответила ошибкой. Деньги не списаны, попробуйте ещё раз позже.")

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        detail: str = "",
        parameter: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Keep, for the operator, what the gateway said: *detail* and *parameter*; *retry_after*
        in seconds.
        """
        super().__init__(message, code=code)
        self.detail = detail
        self.parameter = parameter
        self.retry_after = retry_after


class GatewayRejected(GatewayError):
    """The gateway refused the request; nothing happened. A changed request needs a new key."""

    code = "GATEWAY_REJECTED"


class GatewayForbidden(GatewayRejected):
    """The shop has no right to this operation, most often to recurring payments."""

    code = "YOOKASSA_FORBIDDEN"
    status = 403
    message = marked("Платёжная система временно недоступна. Попробуйте позже или свяжитесь с поддержкой.")


class GatewayThrottled(GatewayError):
    """Too many requests; nothing happened yet. The same request with the same key, later."""

    code = "GATEWAY_UNAVAILABLE"
    message = marked("Платёжная система перегружена. Повторите через минуту: деньги не списаны.")


class GatewayUnknown(GatewayError):
    """No usable answer: the request may or may not have been carried out."""

    code = "GATEWAY_UNAVAILABLE"
    message = marked(
        "Платёжная система не отвечает. Мы выясним, что стало с платежом, и покажем это здесь; "
        "второй раз платить не нужно."
    )


class GatewayClosed(GatewayError):
    """The shop has no credentials for this gateway, so it is not offered."""

    code = "GATEWAY_CLOSED"
    status = 404
    message = marked("Этот способ оплаты сейчас не принимается. Деньги не списаны, выберите другой.")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to connect and to wait for an answer."""

    connect: float = 5.0
    read: float = 35.0  # YooKassa answers within 30 s or with HTTP 500


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to reach one gateway as one shop."""

    shop: str  # CloudPayments Public ID, YooKassa shopId
    secret: str = field(repr=False)
    api_url: str = ""
    widget_url: str = ""
    test_mode: bool = False
    timeouts: Timeouts = Timeouts()
    #: Told after every exchange whether it was a good one (a bad one had no answer, or an error of theirs),
    #: and whether it asked the gateway to do something rather than to tell.
    heard: Callable[[bool, bool], None] | None = field(default=None, compare=False, repr=False)


class Gateway(Protocol):
    """What billing may ask of a gateway. Every call may raise :class:`GatewayError`; none is made inside a
    transaction.
    """

    name: str

    def start(self, order: PaymentOrder) -> NextStep:
        """Begin a purchase and say where the customer goes next. Moves no money; repeating it with the same
        order is safe.
        """
        ...

    def fetch(self, order: PaymentOrder) -> PaymentSnapshot | None:
        """Tell what the gateway holds true about a payment; ``None`` when it knows of none.
        Changes nothing.
        """
        ...

    def charge_saved(self, order: PaymentOrder, token: str) -> PaymentSnapshot:
        """Charge a saved method now, without the customer. The same ``order.transaction_id`` is not charged
        twice while the gateway remembers it.
        """
        ...

    def refund(
        self,
        key: str,
        gateway_payment_id: str,
        amount: Decimal,
        currency: str,
        reason: str,
        *,
        receipt: ReceiptTerms | None = None,
        whole: bool = True,
    ) -> RefundSnapshot:
        """Send money back, the *whole* payment or a part of it. The same *key* is not refunded twice while
        the gateway remembers it. *receipt* is that of the payment.

        An outcome of PENDING means that it was taken on: :meth:`fetch_refund` tells how it ends.
        """
        ...

    def fetch_refund(self, gateway_refund_id: str) -> RefundSnapshot | None:
        """Tell what is true about a refund; ``None`` when the gateway has none by that id."""
        ...

    def refunds_of(
        self, gateway_payment_id: str, reference: str, since: datetime, until: datetime
    ) -> Iterator[RefundSnapshot]:
        """The refunds of one payment made from *since* to *until*, whoever made them and however they ended.
        *reference* is our id of the payment.
        """
        ...

    def probe(self) -> ShopReport:
        """Say what the gateway tells about the shop. Takes no money and saves nothing of anybody's.

        Raises GatewayRejected where the credentials are wrong.
        """
        ...
