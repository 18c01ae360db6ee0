"""Looking back through the gateways' own lists: money, taken or returned, whose news never came.

A payment that waits is asked about by its row (:mod:`portal.billing.sweep`). What no row waits for — a second
capture of an order that is paid, a refund made in the gateway's cabinet — can be found only in the gateway's
own list. So can a chargeback, of which CloudPayments sends no notification.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from portal.billing import cases, chargebacks, doors, marks, refund_news, settlement
from portal.billing.marks import Marks
from portal.billing.settlement import Verdict
from portal.database import transaction
from portal.gateways.base import GatewayRejected, Outcome, PaymentSnapshot, RefundSnapshot
from portal.gateways.cloudpayments import CloudPayments
from portal.gateways.yookassa import YooKassa
from portal.models import Case, CaseKind, GatewayName, Payment, PaymentStatus, Refund, RefundStatus, Setting

log = logging.getLogger(__name__)

#: Between two looks at a gateway's list.
EVERY = timedelta(hours=1)
#: How far a look reaches back behind the last one that succeeded: a refund may need days to succeed, and is
#: listed by the moment at which it was asked for.
OVERLAP = timedelta(days=3)

_AT_ONCE = 100

_Line = TypeVar("_Line")

_settings: Any = Setting.__table__
_payments: Any = Payment.__table__
_refunds: Any = Refund.__table__
_cases: Any = Case.__table__


@dataclass(frozen=True, slots=True)
class Look:
    """One gateway's list, from one moment on."""

    gateway: GatewayName
    since: datetime


@dataclass(slots=True)
class Findings:
    """How many lines a look went through, and what it changed."""

    listed: int = 0
    moved: int = 0
    cases: int = 0

    def count(self, verdict: Verdict) -> None:
        """Add what came of one line."""
        self.moved += verdict is Verdict.MOVED
        self.cases += verdict is Verdict.CASE


def claim(now: datetime, known: Marks) -> list[Look]:
    """The looks that are due by the marks, taken by this process.

    The first time of all only sets the mark.
    """
    found = []
    for name in doors.are_open():
        mark = known.get(marks.listed(name))
        if mark is not None and mark.at > now - EVERY:
            continue  # as at nearly every sweep
        if mark is None:
            _set_first(name, now)
        elif until := _claim(name, now):
            found.append(Look(name, until - OVERLAP))
    return found


def look_back(look: Look, now: datetime) -> Findings:
    """Compare one gateway's list since the last good look.

    Raises GatewayError when it cannot be had: then it is looked at again an hour later, from the same moment.
    """
    findings = compare(look.gateway, look.since, now)
    with transaction() as session:
        marked = update(_settings).where(_settings.c.name == marks.listed(look.gateway))
        session.execute(marked.values(value=now.isoformat()))
    return findings


def compare(name: GatewayName, since: datetime, now: datetime) -> Findings:
    """Walk through what one gateway lists from *since* on and carry out what is missing here.

    Payments that are paid there and open here are settled, refunds are booked; money that fits no order
    becomes a case. Raises GatewayError when a list cannot be had; what was carried out until then stays.
    """
    listing = doors.cloudpayments() if name is GatewayName.CLOUDPAYMENTS else doors.yookassa()
    findings = Findings()
    for payments in batched(listing.list_payments(since, now)):
        findings.listed += len(payments)
        for payment in _unheard_payments(name, payments):
            findings.count(hear(name, payment, now))
    for returned in batched(listing.list_refunds(since, now)):
        findings.listed += len(returned)
        for refund in _unheard_refunds(name, returned):
            with transaction() as session:
                findings.count(refund_news.heard(session, name, refund, now).verdict)
    for verdict in heard_of_banks(listing, since, now):
        findings.count(verdict)
    return findings


def heard_of_banks(listing: CloudPayments | YooKassa, since: datetime, until: datetime) -> Iterator[Verdict]:
    """Carry out what the gateway tells of chargebacks; a shop that may not ask hears of them by letter."""
    name = GatewayName(listing.name)
    try:
        yield from chargebacks.hear_all(name, listing.list_chargebacks(since, until), until)
    except GatewayRejected as error:
        log.warning("%s does not tell of chargebacks: %s", name.value, error.detail)


def batched(listed: Iterator[_Line]) -> Iterator[list[_Line]]:
    """A list a hundred lines at a time: a day of a large shop is never in memory as a whole."""
    while some := list(islice(listed, _AT_ONCE)):
        yield some


def _unheard_payments(name: GatewayName, listed: list[PaymentSnapshot]) -> list[PaymentSnapshot]:
    """Those of a hundred that are neither paid here nor a case yet: mostly none, for two questions."""
    told = [payment for payment in listed if payment.outcome is not Outcome.PENDING]
    some = [payment.gateway_payment_id for payment in told]
    paid = select(_payments.c.gateway_payment_id).where(
        _payments.c.gateway == name,
        _payments.c.gateway_payment_id.in_(some),
        _payments.c.status == PaymentStatus.SUCCEEDED,
    )
    shown = select(_cases.c.gateway_payment_id).where(
        _cases.c.gateway == name,
        _cases.c.gateway_payment_id.in_(some),
        _cases.c.kind.in_(cases.OF_MONEY_TAKEN),
    )
    with transaction() as session:
        known = set(session.execute(paid).scalars()) | set(session.execute(shown).scalars())
    return [payment for payment in told if payment.gateway_payment_id not in known]


def _unheard_refunds(name: GatewayName, listed: list[RefundSnapshot]) -> list[RefundSnapshot]:
    """Those that went through and are not booked here; what was given up here may be among them."""
    told = [refund for refund in listed if refund.outcome is Outcome.SUCCEEDED]
    some = [refund.gateway_refund_id for refund in told]
    booked = select(_refunds.c.gateway_refund_id).where(
        _refunds.c.gateway == name,
        _refunds.c.gateway_refund_id.in_(some),
        _refunds.c.status != RefundStatus.FAILED,
    )
    with transaction() as session:
        known = set(session.execute(booked).scalars())
    return [refund for refund in told if refund.gateway_refund_id not in known]


def hear(gateway: GatewayName, told: PaymentSnapshot, now: datetime) -> Verdict:
    """Carry out what one line of a gateway's list says about a payment."""
    with transaction() as session:
        row = settlement.locked(session, transaction_id=told.reference[:64]) if told.reference else None
        if row is None or row.gateway is not gateway:
            if told.outcome is not Outcome.SUCCEEDED:
                return Verdict.IGNORED
            order, kind = None, CaseKind.UNKNOWN_PAYMENT
            if row is not None:
                order, kind = row.id, CaseKind.GATEWAY_MISMATCH
            cases.open_for_payment(session, kind, gateway, told, order, now)
            return Verdict.CASE
        if told.outcome is Outcome.FAILED and row.gateway_payment_id != told.gateway_payment_id:
            return Verdict.IGNORED  # an older attempt of an order that may have gone on since
        return settlement.settle(session, row, told, now).verdict


def _set_first(name: GatewayName, now: datetime) -> None:
    with transaction() as session:
        first = insert(_settings).values(name=marks.listed(name), value=now.isoformat(), updated_at=now)
        session.execute(first.on_conflict_do_nothing(index_elements=["name"]))


def _claim(name: GatewayName, now: datetime) -> datetime | None:
    """Until when the list was looked at before, if it is this process's turn to look again."""
    with transaction() as session:
        taken = (
            update(_settings)
            .where(_settings.c.name == marks.listed(name), _settings.c.updated_at <= now - EVERY)
            .values(updated_at=now)
            .returning(_settings.c.value)
        )
        until = session.execute(taken).scalar()
    return datetime.fromisoformat(until) if until else None
