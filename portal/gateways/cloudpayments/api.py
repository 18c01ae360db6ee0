"""CloudPayments as a gateway of the portal: see :class:`portal.gateways.base.Gateway` for the promises."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from portal.gateways.base import (
    Credentials,
    GatewayRejected,
    GatewayUnknown,
    NextStep,
    Outcome,
    PaymentOrder,
    PaymentSnapshot,
    RefundSnapshot,
)
from portal.gateways.cloudpayments import disputes, payload, reading
from portal.gateways.cloudpayments.transport import (
    Transport,
    is_not_found,
    model_of,
    refusal,
)
from portal.gateways.disputes import ChargebackSnapshot
from portal.gateways.shop import ReceiptTerms, ShopReport

_PAGE = 100
_MOST_PAGES = 20_000
# Whose addresses the API tells; that of Receipt is CloudKassir's.
_KINDS = ("check", "pay", "fail", "confirm", "refund", "recurrent", "cancel")
# Our clock and theirs may differ.
_MARGIN = timedelta(minutes=15)


class CloudPayments:
    """Payments through the widget in our page and by saved tokens."""

    name = "cloudpayments"

    def __init__(self, credentials: Credentials, *, ca_file: str | None = None) -> None:
        """Speak as the shop of *credentials*. Safe to share between threads. Raises GatewayClosed when there
        are none.
        """
        self._shop = credentials.shop.strip()
        self._transport = Transport(credentials, ca_file=ca_file)

    def start(self, order: PaymentOrder) -> NextStep:
        """Give the parameters of the widget's ``start()``; the gateway hears of the order only from the
        browser.

        The browser can change them, so amount, currency and account are checked again when money is reported.
        """
        return NextStep(widget=payload.widget(self._shop, order))

    def fetch(self, order: PaymentOrder) -> PaymentSnapshot | None:
        """Tell what is true about the payment of *order*.

        One order can have several transactions: the widget offers another try, a second tab pays the same
        order. So a refused, pending or held one is only the last word when no other transaction of the order
        got further.
        """
        known = self.fetch_by_id(order.gateway_payment_id) if order.gateway_payment_id else None
        if known is not None and known.outcome is Outcome.SUCCEEDED:
            return known
        latest = self._find(order.transaction_id)
        if latest is None or latest.outcome in {Outcome.SUCCEEDED, Outcome.AUTHORIZED}:
            return _furthest(known, latest)
        # The search answers only with the last transaction, and that one was refused or is under way: an
        # earlier may have paid.
        return _furthest(known, latest, *self._earlier(order, latest))

    def fetch_by_id(self, gateway_payment_id: str) -> PaymentSnapshot | None:
        """Tell what is true about one transaction; ``None`` when this shop has none. Raises NotAnId for other
        text.

        Asked about a refund, it answers about the payment that was refunded.
        """
        model = self._get(gateway_payment_id)
        if model is not None and (original := reading.original_id(model)):
            model = self._get(original)
        return reading.payment(model) if model is not None else None

    def charge_saved(self, order: PaymentOrder, token: str) -> PaymentSnapshot:
        """Charge the *token* as the merchant, by schedule (``TrInitiatorCode`` 0, ``PaymentScheduled`` 1).

        A pending answer is an SBP account, whose result comes by notification only, or (``needs_payer``) a
        bank that wants 3-D Secure. A token that is not known any more is a GatewayRejected about the
        parameter ``payment_method_id``.
        """
        envelope = self._transport.post(
            "payments/tokens/charge", payload.charge(order, token), key=order.transaction_id
        )
        model = model_of(envelope)
        if model.get("Status") is not None:
            return reading.payment(model)
        if model.get("AcsUrl") and reading.is_id(reading.text(model, "TransactionId")):
            return _awaiting_authentication(order, str(model["TransactionId"]))
        if is_not_found(envelope):
            # Nothing else that this request names could be missing.
            raise GatewayRejected(detail=refusal(envelope).detail, parameter="payment_method_id")
        raise refusal(envelope)

    def refund(
        self,
        key: str,
        gateway_payment_id: str,
        amount: Decimal,
        currency: str,
        reason: str,
        *,
        receipt: ReceiptTerms | None = None,
        whole: bool = True,  # noqa: ARG002 - the other gateway's rule
    ) -> RefundSnapshot:
        """Send back *amount*, all or part.

        CloudPayments answers with the refund's id alone, which means that it was taken on: a card's refund is
        over by then, one by SBP may still bounce. :meth:`fetch_refund` tells.
        """
        body = payload.refund(key, reading.checked_id(gateway_payment_id), amount, reason, receipt)
        envelope = self._transport.post("payments/refund", body, key=key)
        model = model_of(envelope)
        refund_id = reading.text(model, "TransactionId")
        if not reading.is_id(refund_id) or refund_id is None:
            raise refusal(envelope)
        declined = envelope["Success"] is False
        return RefundSnapshot(
            gateway_refund_id=refund_id,
            gateway_payment_id=gateway_payment_id,
            outcome=Outcome.FAILED if declined else Outcome.PENDING,
            amount=amount,
            currency=currency,
            failure_code=reading.text(model, "ReasonCode") if declined else None,
        )

    def fetch_refund(self, gateway_refund_id: str) -> RefundSnapshot | None:
        """Tell what is true about a refund; ``None`` when this shop has none by that id."""
        model = self._get(gateway_refund_id)
        return reading.refund(model) if model is not None and not reading.is_payment(model) else None

    def list_payments(self, since: datetime, until: datetime) -> Iterator[PaymentSnapshot]:
        """All payments created from *since* to *until*, oldest first; pages are read as they are needed."""
        return (reading.payment(model) for model in self._pages(since, until) if reading.is_payment(model))

    def list_refunds(self, since: datetime, until: datetime) -> Iterator[RefundSnapshot]:
        """All refunds created from *since* to *until*, those made in the cabinet among them, oldest first."""
        return (reading.refund(model) for model in self._pages(since, until) if reading.original_id(model))

    def refunds_of(
        self, gateway_payment_id: str, reference: str, since: datetime, until: datetime
    ) -> Iterator[RefundSnapshot]:
        """The refunds of one payment made from *since* to *until*, the last operation of the order first.

        The list holds only what has ended, so a refund by SBP under way is found by the search alone.
        """
        last = self._last_operation(reference)
        if last is not None and reading.original_id(last) == gateway_payment_id:
            yield reading.refund(last)
        for told in self.list_refunds(since, until):
            if told.gateway_payment_id == gateway_payment_id:
                yield told

    def list_chargebacks(self, since: datetime, until: datetime) -> Iterator[ChargebackSnapshot]:
        """All that payers' banks took back or gave back from *since* to *until*: no notification tells it."""
        pages = self._walk("chargebacks/list", _between(since, until))
        return (disputes.chargeback(model) for model in pages)

    def test(self) -> str:
        """See whether the credentials work; answers the gateway's own request id. Raises GatewayRejected if
        not.
        """
        envelope = self._transport.post("test", {})
        if envelope["Success"] is not True:
            raise refusal(envelope)
        return str(envelope.get("Message") or "")

    def probe(self) -> ShopReport:
        """See whether the credentials work, and where the cabinet sends its notifications.

        Whether tokens may be charged and whether receipts are made shows with the first payment only.
        """
        self.test()
        told = {kind: self._address_of(kind) for kind in _KINDS}
        addresses = {kind: where for kind, where in told.items() if where is not None}
        demo = True if self._shop.startswith("test_api_") else None
        return ShopReport(shop=self._shop, test=demo, addresses=addresses)

    def _address_of(self, kind: str) -> str | None:
        """Where one kind of notification goes; empty where it is switched off, ``None`` if it is not told."""
        envelope = self._transport.post(f"site/notifications/{kind}/get", {})
        model = model_of(envelope)
        if envelope["Success"] is not True or not isinstance(model.get("IsEnabled"), bool):
            return None
        return str(model.get("Address") or "") if model["IsEnabled"] else ""

    def _get(self, transaction_id: str) -> dict[str, Any] | None:
        body = {"TransactionId": reading.checked_id(transaction_id)}
        return self._one(self._transport.post("payments/get", body))

    def _find(self, reference: str) -> PaymentSnapshot | None:
        """The last payment of a reference; the search finds refunds and payouts as well, so those lead to
        their payment.
        """
        model = self._last_operation(reference)
        if model is None:
            return None
        if original := reading.original_id(model):
            return self.fetch_by_id(original)
        if not reading.is_payment(model):
            # The older search knows payments only.
            model = self._one(self._transport.post("payments/find", {"InvoiceId": reference}))
        return reading.payment(model) if model is not None else None

    def _last_operation(self, reference: str) -> dict[str, Any] | None:
        """What was done last for one order: a payment, a refund or a payout."""
        return self._one(self._transport.post("v2/payments/find", {"InvoiceId": reference}))

    def _one(self, envelope: dict[str, Any]) -> dict[str, Any] | None:
        """The transaction of an answer, whatever ``Success`` says: of a declined one it may be either."""
        model = model_of(envelope)
        if model.get("Status") is not None:
            return model
        if is_not_found(envelope):
            return None
        raise refusal(envelope)

    def _earlier(self, order: PaymentOrder, latest: PaymentSnapshot) -> Iterator[PaymentSnapshot]:
        """The transactions of *order* up to its *latest* one."""
        until = (latest.happened_at or order.created_at) + _MARGIN
        for snapshot in self.list_payments(order.created_at - _MARGIN, until):
            if snapshot.reference == order.transaction_id:
                yield snapshot

    def _pages(self, since: datetime, until: datetime) -> Iterator[dict[str, Any]]:
        """All operations of a period that have an end, refunds and payouts among them."""
        wanted = {"TimeZone": "UTC", "Statuses": ["Authorized", "Completed", "Cancelled", "Declined"]}
        return self._walk("v2/payments/list", _between(since, until) | wanted)

    def _walk(self, path: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Walk a list, a hundred a page, until a page is not full."""
        for page in range(1, _MOST_PAGES):
            envelope = self._transport.post(path, body | {"PageNumber": page})
            models = envelope.get("Model")
            if envelope["Success"] is not True:
                raise refusal(envelope)
            if not isinstance(models, list) or not all(isinstance(model, dict) for model in models):
                raise GatewayUnknown(detail="a list without a list")
            yield from models
            if len(models) < _PAGE:
                return
        raise GatewayUnknown(detail="a list without an end")


def _between(since: datetime, until: datetime) -> dict[str, Any]:
    return {
        "CreatedDateGte": since.astimezone(UTC).isoformat(timespec="seconds"),
        "CreatedDateLte": until.astimezone(UTC).isoformat(timespec="seconds"),
    }


def _furthest(*snapshots: PaymentSnapshot | None) -> PaymentSnapshot | None:
    """The snapshot that got furthest, the later of equals: money, then a hold, then hope, then a refusal."""
    order = (Outcome.FAILED, Outcome.PENDING, Outcome.AUTHORIZED, Outcome.SUCCEEDED)
    found: PaymentSnapshot | None = None
    for snapshot in snapshots:
        if snapshot is None:
            continue
        if found is None or order.index(snapshot.outcome) >= order.index(found.outcome):
            found = snapshot
    return found


def _awaiting_authentication(order: PaymentOrder, transaction_id: str) -> PaymentSnapshot:
    """What a 3-D Secure answer says: nothing was taken, and without the customer nothing will be."""
    return PaymentSnapshot(
        gateway_payment_id=transaction_id,
        outcome=Outcome.PENDING,
        amount=order.amount,
        currency=order.currency,
        reference=order.transaction_id,
        test=None,
        account=order.account,
        needs_payer=True,
    )
