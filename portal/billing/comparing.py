"""One gateway's day beside ours, both ways: what is paid or returned there and not here, and the reverse.

The list is walked a hundred lines at a time. What is missing here is carried out by the usual verbs; what
fits nothing becomes a case. What is paid here and was in no list yet is asked about by itself before anybody
is told, since a gateway dates a payment by its beginning and we by the news.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from portal.billing import cases, doors, lookback, refund_news
from portal.billing.drift_book import DriftBook, Found, Totals
from portal.billing.settlement import Verdict
from portal.database import transaction
from portal.gateways.base import Outcome, PaymentSnapshot, RefundSnapshot
from portal.gateways.cloudpayments import CloudPayments
from portal.gateways.yookassa import YooKassa
from portal.models import (
    Case,
    Discrepancy,
    GatewayName,
    Payment,
    PaymentStatus,
    ReconciliationDay,
    ReconciliationLine,
    Refund,
    RefundStatus,
    Remedy,
)
from portal.money import ZERO, to_wire

_payments: Any = Payment.__table__
_refunds: Any = Refund.__table__
_lines: Any = ReconciliationLine.__table__

_AT_ONCE = 100


class Comparison:
    """The walk through one day. Raises GatewayError when a list cannot be had; what was healed stays."""

    def __init__(self, day: ReconciliationDay, now: datetime) -> None:
        """Compare *day* as things are *now*."""
        self.day, self.now, self.book = day, now, DriftBook(day, now)
        self.gateway: GatewayName = day.gateway
        #: Our rows that were seen in the list and differ there: they are not asked about once more.
        self.differing: set[tuple[str, int]] = set()
        self.listing: CloudPayments | YooKassa = (
            doors.cloudpayments() if day.gateway is GatewayName.CLOUDPAYMENTS else doors.yookassa()
        )

    def walk(self) -> Totals:
        """Payments first, so that a refund finds its payment; then what only we know of."""
        until = min(self.day.ends_at, self.now)
        for payments in lookback.batched(
            self._of_the_day(self.listing.list_payments(self.day.starts_at, until))
        ):
            self._payments(payments)
        for refunds in lookback.batched(
            self._of_the_day(self.listing.list_refunds(self.day.starts_at, until))
        ):
            self._refunds(refunds)
        for _ in lookback.heard_of_banks(self.listing, self.day.starts_at, until):
            pass  # each is a case of its own; no list of payments or refunds differs by it
        self._payments_only_here()
        self._refunds_only_here()
        return self.book.totals

    def _of_the_day(self, listed: Iterator[Any]) -> Iterator[Any]:
        """A filter of the gateway takes its end as well: the next day's first are left out."""
        ends_at = self.day.ends_at
        return (told for told in listed if told.created_at is None or told.created_at < ends_at)

    def _payments(self, listed: list[PaymentSnapshot]) -> None:
        told = {one.gateway_payment_id: one for one in listed if one.outcome is not Outcome.PENDING}
        with transaction() as session:
            ours = _by(session, _payments, _payments.c.gateway_payment_id, self.gateway, told)
            shown = _shown(session, self.gateway, told)
        agreed: dict[int, Decimal | None] = {}
        for object_id, one in told.items():
            if one.outcome is Outcome.SUCCEEDED:
                self.book.totals.add("there", one.amount)
                self.book.totals.fee_sum += one.fee or ZERO
            row = ours.get(object_id)
            if row is not None and row.status is PaymentStatus.SUCCEEDED:
                if self._agrees(row, one):
                    agreed[row.id] = one.fee
            elif object_id in shown:
                self.book.totals.case_sum += one.amount if one.outcome is Outcome.SUCCEEDED else ZERO
            else:
                self._hear(one)
        self.book.mark_payments(agreed)

    def _agrees(self, row: Row[Any], told: PaymentSnapshot) -> bool:
        """Whether a payment that is paid here is the same there; otherwise a person has to look."""
        self.book.totals.add("here", row.amount)
        self.differing.add(("payments", row.id))
        if told.outcome is not Outcome.SUCCEEDED:
            self.book.drift(Discrepancy.PAID_HERE, told.gateway_payment_id, row, None, told.outcome.value)
            return False
        if told.amount != row.amount or told.currency != row.currency:
            self.book.drift(Discrepancy.AMOUNT, told.gateway_payment_id, row, told.amount, told.currency)
            return False
        self.differing.discard(("payments", row.id))
        if told.fee is not None and row.fee is not None and told.fee != row.fee:
            note = f"{to_wire(row.fee)} -> {to_wire(told.fee)}"
            self.book.note(
                Found(
                    Discrepancy.FEE, Remedy.HEALED, told.gateway_payment_id, row.id, told.fee, row.fee, note
                )
            )
        return True

    def _hear(self, told: PaymentSnapshot) -> None:
        """News that never came: carried out now."""
        verdict = lookback.hear(self.gateway, told, self.now)
        paid = told.outcome is Outcome.SUCCEEDED
        with transaction() as session:
            row = _by(
                session, _payments, _payments.c.gateway_payment_id, self.gateway, [told.gateway_payment_id]
            )
        ours = row.get(told.gateway_payment_id)
        number = ours.id if ours is not None else None
        what = Discrepancy.PAID_THERE if paid else Discrepancy.STATUS
        if verdict is Verdict.MOVED:
            if paid:
                self.book.totals.add("here", told.amount)
            self.book.note(
                Found(
                    what,
                    Remedy.HEALED,
                    told.gateway_payment_id,
                    number,
                    told.amount,
                    None,
                    told.outcome.value,
                )
            )
            if paid and number is not None:
                self.book.mark_payments({number: told.fee})
        elif verdict is Verdict.CASE:
            self.book.totals.case_sum += told.amount if paid else ZERO
            self.book.note(
                Found(
                    what, Remedy.CASE, told.gateway_payment_id, number, told.amount, None, told.outcome.value
                )
            )

    def _refunds(self, listed: list[RefundSnapshot]) -> None:
        told = {one.gateway_refund_id: one for one in listed if one.outcome is not Outcome.PENDING}
        with transaction() as session:
            ours = _by(session, _refunds, _refunds.c.gateway_refund_id, self.gateway, told)
        agreed = []
        for object_id, one in told.items():
            went_through = one.outcome is Outcome.SUCCEEDED
            if went_through:
                self.book.totals.add("refunds_there", one.amount)
            row = ours.get(object_id)
            if row is not None and row.status is RefundStatus.SUCCEEDED:
                self.book.totals.add("refunds_here", row.amount)
                if went_through and one.amount == row.amount:
                    agreed.append(row.id)
                else:
                    self.differing.add(("refunds", row.id))
                    what = Discrepancy.AMOUNT if went_through else Discrepancy.REFUNDED_HERE
                    self.book.drift(
                        what, object_id, row, one.amount if went_through else None, one.outcome.value
                    )
            elif went_through:
                self._hear_refund(one)
        self.book.mark_refunds(agreed)

    def _hear_refund(self, told: RefundSnapshot) -> None:
        """A refund that nobody told us of, most often from the gateway's cabinet."""
        verdict = self._book(told)
        if verdict is Verdict.WAITS:
            # Its payment began before this day, and its success was never heard of either.
            payment = self.listing.fetch_by_id(told.gateway_payment_id)
            if payment is not None:
                lookback.hear(self.gateway, payment, self.now)
                verdict = self._book(told)
        with transaction() as session:
            found = _by(
                session, _refunds, _refunds.c.gateway_refund_id, self.gateway, [told.gateway_refund_id]
            )
        row = found.get(told.gateway_refund_id)
        payment_id = row.payment_id if row is not None else None
        if verdict in {Verdict.MOVED, Verdict.CASE}:
            remedy = Remedy.HEALED if verdict is Verdict.MOVED else Remedy.CASE
            if verdict is Verdict.MOVED:
                self.book.totals.add("refunds_here", told.amount)
                self.book.mark_refunds([row.id] if row is not None else [])
            what = Discrepancy.REFUNDED_THERE
            self.book.note(Found(what, remedy, told.gateway_refund_id, payment_id, told.amount, None))

    def _book(self, told: RefundSnapshot) -> Verdict:
        with transaction() as session:
            return refund_news.heard(session, self.gateway, told, self.now).verdict

    def _payments_only_here(self) -> None:
        """Paid here on this day and in no list so far: the gateway is asked about each."""
        unseen = (
            _payments.c.gateway == self.gateway,
            _payments.c.status == PaymentStatus.SUCCEEDED,
            _payments.c.listed_at.is_(None),
            _payments.c.paid_at >= self.day.starts_at,
            _payments.c.paid_at < self.day.ends_at,
        )
        for row in _each(_payments, unseen):
            if ("payments", row.id) in self.differing:
                continue
            told = self.listing.fetch_by_id(row.gateway_payment_id)
            if told is not None and told.outcome is Outcome.SUCCEEDED and told.amount == row.amount:
                self.book.mark_payments({row.id: told.fee})
                continue
            self.book.totals.add("here", row.amount)
            there = told.amount if told is not None and told.outcome is Outcome.SUCCEEDED else None
            note = told.outcome.value if told is not None else "not there"
            what = Discrepancy.PAID_HERE if there is None else Discrepancy.AMOUNT
            self.book.drift(what, row.gateway_payment_id, row, there, note)

    def _refunds_only_here(self) -> None:
        unseen = (
            _refunds.c.gateway == self.gateway,
            _refunds.c.status == RefundStatus.SUCCEEDED,
            _refunds.c.listed_at.is_(None),
            _refunds.c.gateway_refund_id.is_not(None),
            _refunds.c.finished_at >= self.day.starts_at,
            _refunds.c.finished_at < self.day.ends_at,
        )
        for row in _each(_refunds, unseen):
            if ("refunds", row.id) in self.differing:
                continue
            told = self.listing.fetch_refund(row.gateway_refund_id)
            if told is not None and told.outcome is Outcome.SUCCEEDED and told.amount == row.amount:
                self.book.mark_refunds([row.id])
                continue
            self.book.totals.add("refunds_here", row.amount)
            note = told.outcome.value if told is not None else "not there"
            self.book.drift(Discrepancy.REFUNDED_HERE, row.gateway_refund_id, row, None, note)


def _by(session: Session, table: Any, column: Any, gateway: GatewayName, ids: Any) -> dict[str, Row[Any]]:
    """Our rows by the gateway's ids."""
    found = session.execute(select(table).where(table.c.gateway == gateway, column.in_(list(ids))))
    return {getattr(row, column.key): row for row in found}


def _shown(session: Session, gateway: GatewayName, ids: Any) -> set[str]:
    """Which of these payments of the gateway are, or were, cases: their money is accounted for there."""
    found = select(Case.gateway_payment_id).where(
        Case.gateway == gateway,
        Case.gateway_payment_id.in_(list(ids)),
        Case.kind.in_(cases.OF_MONEY_TAKEN),
    )
    return set(filter(None, session.scalars(found)))


def _each(table: Any, conditions: tuple[Any, ...]) -> Iterator[Row[Any]]:
    """Rows by their numbers, a hundred at a time, each hundred in a transaction that is over."""
    last = 0
    while True:
        wanted = select(table).where(*conditions, table.c.id > last).order_by(table.c.id).limit(_AT_ONCE)
        with transaction() as session:
            rows = session.execute(wanted).all()
        yield from rows
        if len(rows) < _AT_ONCE:
            return
        last = rows[-1].id
