"""YooKassa as a gateway of the portal: see :class:`portal.gateways.base.Gateway` for the promises."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from portal.gateways.base import (
    BindingOrder,
    BindingSnapshot,
    Credentials,
    GatewayForbidden,
    GatewayRejected,
    GatewayUnknown,
    NextStep,
    Outcome,
    PaymentOrder,
    PaymentSnapshot,
    RefundSnapshot,
)
from portal.gateways.disputes import ChargebackSnapshot
from portal.gateways.shop import ReceiptTerms, ShopReport
from portal.gateways.yookassa import reading
from portal.gateways.yookassa.hosts import is_payment_page
from portal.gateways.yookassa.payload import (
    binding_payload,
    build_yookassa_payment_payload,
    refund_payload,
)
from portal.gateways.yookassa.transport import NoSuchObject, Transport

# A payment is created within a day of its order, because the key that makes a repeat safe is forgotten then
# (https://yookassa.ru/developers/using-api/interaction-format#idempotence); the margin is for clocks that
# differ.
_BEFORE = timedelta(minutes=15)
_AFTER = timedelta(hours=24, minutes=15)

# Three years of a hundred payments a page would be fewer; a list that goes on is a fault of the other side.
_MOST_PAGES = 20_000
# Where nobody is sent to: the answer's page is not opened by anybody.
_NOWHERE = "https://yookassa.ru/"


@dataclass(frozen=True, slots=True)
class ShopInfo:
    """What YooKassa says about the shop whose credentials are used."""

    shop: str
    enabled: bool
    test: bool
    fiscalization: bool  # receipts are switched on in the profile: every payment needs one
    payment_methods: tuple[str, ...]


class YooKassa:
    """Payments through YooKassa's hosted page and its saved methods."""

    name = "yookassa"

    def __init__(self, credentials: Credentials, *, ca_file: str | None = None) -> None:
        """Speak as the shop of *credentials*. Safe to share between threads. Raises GatewayClosed when there
        are none.
        """
        self._transport = Transport(credentials, ca_file=ca_file)

    def start(self, order: PaymentOrder) -> NextStep:
        """Create the payment and say where it is confirmed.

        Repeating it with the same order answers the same payment: within 24 hours by its key, and later by
        its id, for which ``order.gateway_payment_id`` must have been kept.
        """
        known = self.fetch_by_id(order.gateway_payment_id) if order.gateway_payment_id else None
        snapshot = known or self._create(order, build_yookassa_payment_payload(order))
        if snapshot.outcome is Outcome.PENDING and snapshot.confirmation_url is None:
            raise GatewayUnknown(detail="a payment without a page to confirm it")
        return NextStep(confirmation_url=snapshot.confirmation_url, snapshot=snapshot)

    def fetch(self, order: PaymentOrder) -> PaymentSnapshot | None:
        """Tell what is true about the payment of *order*, by its id, or, where none is known, by our
        reference.

        YooKassa cannot search by reference, so the payments created around the order are read; of several
        with the same reference the one that got furthest counts.
        """
        if order.gateway_payment_id:
            return self.fetch_by_id(order.gateway_payment_id)
        found: PaymentSnapshot | None = None
        for snapshot in self.list_payments(order.created_at - _BEFORE, order.created_at + _AFTER):
            if snapshot.reference == order.transaction_id and _further(snapshot, found):
                found = snapshot
        return found

    def fetch_by_id(self, gateway_payment_id: str) -> PaymentSnapshot | None:
        """Tell what is true about a payment; ``None`` when this shop has none by that id. Raises NotAnId for
        other text.
        """
        told = self._find("/payments", gateway_payment_id, "payment_id")
        return self._payment(told) if told is not None else None

    def charge_saved(self, order: PaymentOrder, token: str) -> PaymentSnapshot:
        """Charge the saved method *token* without the customer; the answer is final but for receipts that
        come first.
        """
        return self._create(order, build_yookassa_payment_payload(order, payment_method_id=token))

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
        """Send back *amount*; a pending answer is to be asked about with :meth:`fetch_refund`, since failures
        send no event.
        """
        part = None if whole else receipt
        body = refund_payload(reading.checked_id(gateway_payment_id), amount, currency, reason, part)
        return reading.refund(self._transport.post("/refunds", key, body))

    def fetch_refund(self, gateway_refund_id: str) -> RefundSnapshot | None:
        """Tell what is true about a refund; ``None`` when this shop has none by that id."""
        told = self._find("/refunds", gateway_refund_id, "refund_id")
        return reading.refund(told) if told is not None else None

    def bind(self, order: BindingOrder) -> BindingSnapshot:
        """Ask to remember a card without taking money; the customer confirms on the page of the answer within
        an hour.
        """
        told = self._transport.post("/payment_methods", order.key, binding_payload(order))
        return reading.binding(told, self._accepts)

    def fetch_binding(self, gateway_method_id: str) -> BindingSnapshot | None:
        """Tell what became of a binding. A failed one sends no event, so it must be asked about."""
        told = self._find("/payment_methods", gateway_method_id, "payment_method_id")
        return reading.binding(told, self._accepts) if told is not None else None

    def list_payments(self, since: datetime, until: datetime) -> Iterator[PaymentSnapshot]:
        """All payments created from *since* to *until*, newest first; pages are read as they are needed."""
        return (self._payment(told) for told in self._pages("/payments", since, until))

    def list_chargebacks(self, since: datetime, until: datetime) -> Iterator[ChargebackSnapshot]:  # noqa: ARG002 - the contract's
        """Nothing: neither the API nor a notification tells what payers' banks took back, a letter does."""
        return iter(())

    def list_refunds(self, since: datetime, until: datetime) -> Iterator[RefundSnapshot]:
        """All refunds created from *since* to *until*, those made in the merchant profile among them, newest
        first.
        """
        return (reading.refund(told) for told in self._pages("/refunds", since, until))

    def refunds_of(
        self,
        gateway_payment_id: str,
        reference: str,  # noqa: ARG002 - the other gateway searches by it
        since: datetime,
        until: datetime,
    ) -> Iterator[RefundSnapshot]:
        """The refunds of one payment made from *since* to *until*, newest first."""
        found = self._pages("/refunds", since, until, payment_id=reading.checked_id(gateway_payment_id))
        return (reading.refund(told) for told in found)

    def check(self) -> ShopInfo:
        """Ask who we are, to see whether the credentials work. Raises GatewayRejected when they do not."""
        told = self._transport.get("/me")
        methods = told.get("payment_methods")
        fiscalization = told.get("fiscalization")
        return ShopInfo(
            shop=str(told.get("account_id", "")),
            enabled=told.get("status") == "enabled",
            test=told.get("test") is True,
            fiscalization=isinstance(fiscalization, dict) and fiscalization.get("enabled") is True,
            payment_methods=tuple(str(name) for name in methods) if isinstance(methods, list) else (),
        )

    def probe(self) -> ShopReport:
        """Ask who we are, and whether a card may be saved: a binding that nobody confirms is gone in an hour.

        A shop without the right to recurring payments is answered 403.
        """
        info = self.check()
        try:
            self.bind(BindingOrder(key=str(uuid.uuid4()), user_id="probe", return_url=_NOWHERE))
            recurring: bool | None = True
        except GatewayForbidden:
            recurring = False
        except GatewayRejected:
            recurring = None
        return ShopReport(
            shop=info.shop,
            enabled=info.enabled,
            test=info.test,
            recurring=recurring,
            receipts=info.fiscalization,
        )

    def _create(self, order: PaymentOrder, payload: Mapping[str, Any]) -> PaymentSnapshot:
        return self._payment(self._transport.post("/payments", order.transaction_id, payload))

    def _payment(self, told: Mapping[str, Any]) -> PaymentSnapshot:
        return reading.payment(told, self._accepts)

    def _accepts(self, url: str) -> bool:
        return is_payment_page(url, self._transport.endpoint)

    def _find(self, path: str, object_id: str, parameter: str) -> dict[str, Any] | None:
        """Read one object, ``None`` where there is none: 404 by the handbook, and 400 as it was seen."""
        try:
            told = self._transport.get(f"{path}/{reading.checked_id(object_id)}")
        except NoSuchObject:
            return None
        except GatewayRejected as error:
            if error.parameter == parameter or parameter in error.detail:
                return None
            raise
        if told.get("id") != object_id:
            raise GatewayUnknown(detail="another object than asked for")
        return told

    def _pages(self, path: str, since: datetime, until: datetime, **filters: str) -> Iterator[dict[str, Any]]:
        """Walk a list by its cursors."""
        period = {"created_at.gte": _wire_time(since), "created_at.lte": _wire_time(until)}
        params = {**period, "limit": "100", **filters}
        for _page in range(_MOST_PAGES):
            told = self._transport.get(path, params)
            items = told.get("items")
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise GatewayUnknown(detail="a list without items")
            yield from items
            cursor = told.get("next_cursor")
            if not isinstance(cursor, str) or not cursor:
                return
            if cursor == params.get("cursor"):
                raise GatewayUnknown(detail="a list that repeats itself")
            params["cursor"] = cursor
        raise GatewayUnknown(detail="a list without an end")


def _further(candidate: PaymentSnapshot, best: PaymentSnapshot | None) -> bool:
    """Tell whether *candidate* got further than *best*: money first, then a hold, then hope, then
    a refusal.
    """
    order = (Outcome.FAILED, Outcome.PENDING, Outcome.AUTHORIZED, Outcome.SUCCEEDED)
    return best is None or order.index(candidate.outcome) > order.index(best.outcome)


def _wire_time(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds, as the list filters take it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
