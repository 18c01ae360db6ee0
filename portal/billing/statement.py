"""A customer's payments in a stretch of time: which of them, what stands beside each, and their totals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import ColumnElement, func, select

from portal.billing.refund_outcomes import NOT_DUE
from portal.database import db
from portal.models import GatewayName, Payment, PaymentStatus, Receipt, Refund, RefundStatus
from portal.models.payment import OPEN
from portal.money import ZERO


class Kind(StrEnum):
    """What became of a payment, as a person asks for it."""

    PAID = "paid"
    RETURNED = "returned"
    REFUSED = "refused"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which payments: ordered from *since* on and before *until*, of one kind, at one gateway."""

    since: datetime | None = None
    until: datetime | None = None
    kind: Kind | None = None
    gateway: GatewayName | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The same for a query."""
        found: list[ColumnElement[bool]] = []
        if self.since is not None:
            found.append(Payment.created_at >= self.since)
        if self.until is not None:
            found.append(Payment.created_at < self.until)
        if self.gateway is not None:
            found.append(Payment.gateway == self.gateway)
        if self.kind is not None:
            found.append(_OF_KIND[self.kind])
        return found


EVERYTHING = Wanted()
_OF_KIND: Mapping[Kind, ColumnElement[bool]] = {
    Kind.PAID: Payment.status == PaymentStatus.SUCCEEDED,
    Kind.RETURNED: Payment.refunded_amount > 0,
    Kind.REFUSED: Payment.status == PaymentStatus.FAILED,
    Kind.OPEN: Payment.status.in_(OPEN),
}


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands under a payment: its refunds, oldest first, and what the cash register made."""

    refunds: tuple[Refund, ...] = ()
    receipts: tuple[Receipt, ...] = ()


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums of all payments that are wanted, in one currency."""

    currency: str
    paid: Decimal
    returned: Decimal

    @property
    def kept(self) -> Decimal:
        """What was paid and did not go back."""
        return self.paid - self.returned


def beside(payment_ids: Iterable[int]) -> Mapping[int, Beside]:
    """What stands under each of these payments; those with nothing are left out."""
    wanted = list(payment_ids)
    refunds: dict[int, list[Refund]] = {}
    for refund in db.session.scalars(select(Refund).where(Refund.payment_id.in_(wanted)).order_by(Refund.id)):
        refunds.setdefault(refund.payment_id or 0, []).append(refund)
    receipts: dict[int, list[Receipt]] = {}
    for receipt in db.session.scalars(
        select(Receipt).where(Receipt.payment_id.in_(wanted)).order_by(Receipt.id)
    ):
        receipts.setdefault(receipt.payment_id or 0, []).append(receipt)
    return {
        one: Beside(tuple(_told(refunds.get(one, []))), tuple(receipts.get(one, ())))
        for one in refunds.keys() | receipts.keys()
    }


def totals(user_id: int, wanted: Wanted) -> list[Totals]:
    """What was paid and what went back, for each currency that anything was paid in."""
    found = db.session.execute(
        select(Payment.currency, func.sum(Payment.amount), func.sum(Payment.refunded_amount))
        .where(Payment.user_id == user_id, Payment.status == PaymentStatus.SUCCEEDED, *wanted.conditions())
        .group_by(Payment.currency)
        .order_by(Payment.currency)
    )
    return [Totals(currency, paid or ZERO, returned or ZERO) for currency, paid, returned in found]


def _told(refunds: list[Refund]) -> Iterable[Refund]:
    """A failed refund is told until another of the same payment follows it, and not where nothing was due."""
    for place, refund in enumerate(refunds):
        is_news = place == len(refunds) - 1 and refund.failure_code not in NOT_DUE
        if refund.status is not RefundStatus.FAILED or is_news:
            yield refund
