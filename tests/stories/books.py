"""The portal's books beside the gateways' own: what was captured there must be paid, or a case, here."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from flask import Flask
from sqlalchemy import select, text

from portal.billing.cases import OF_MONEY_TAKEN
from portal.database import db
from portal.models import Case, CaseChoice, CaseKind, Payment, PaymentStatus, Refund, RefundStatus

#: Gateway and its own id of a payment.
Key = tuple[str, str]


@dataclass
class Books:
    """One side's money: captured sums by the gateway's payment, and what of each went back."""

    captured: dict[Key, Decimal] = field(default_factory=dict)
    refunded: dict[Key, Decimal] = field(default_factory=dict)


def of_the_gateways(ledger: Any) -> Books:
    """The sandbox's ledger as books."""
    books = Books()
    for payment in ledger["payments"]:
        if (captured := Decimal(payment["captured"])) > 0:
            books.captured[payment["gateway"], payment["id"]] = captured
    for refund in ledger["refunds"]:
        if refund["status"] == "succeeded":
            key = refund["gateway"], refund["payment_id"]
            books.refunded[key] = books.refunded.get(key, Decimal(0)) + Decimal(refund["amount"])
    return books


def of_the_portal(app: Flask) -> tuple[Books, dict[Key, Decimal]]:
    """The portal's payments as books, and the money that stands in its cases."""
    books, cases = Books(), {}
    with app.app_context(), db.engine.connect() as connection:
        paid = select(
            Payment.gateway, Payment.gateway_payment_id, Payment.amount, Payment.refunded_amount
        ).where(Payment.status == PaymentStatus.SUCCEEDED)
        for gateway, key, amount, _ in connection.execute(paid):
            books.captured[gateway.value, key] = amount
        back = (
            select(Payment.gateway, Payment.gateway_payment_id, Refund.amount)
            .join(Payment, Payment.id == Refund.payment_id)
            .where(Refund.status == RefundStatus.SUCCEEDED)
        )
        for gateway, key, amount in connection.execute(back):
            place = gateway.value, key
            books.refunded[place] = books.refunded.get(place, Decimal(0)) + amount
        opened = select(Case.gateway, Case.gateway_payment_id, Case.amount, Case.facts).where(
            Case.kind.in_(OF_MONEY_TAKEN), Case.resolution.is_distinct_from(CaseChoice.ACCEPT)
        )
        for gateway, key, amount, facts in connection.execute(opened):
            if facts["outcome"] == "succeeded":
                cases[gateway.value, key] = amount
    return books, cases


def disagreements(app: Flask, ledger: Any) -> list[str]:
    """Where the two sides differ, one line each; empty when every kopeck is in its place.

    What was captured is either one succeeded payment of ours or a case, never both and never neither; what
    was refunded of ours is booked; at YooKassa one order of ours made at most one payment.
    """
    theirs, (ours, cases) = of_the_gateways(ledger), of_the_portal(app)
    found = [
        f"{key} is captured there and unknown here"
        for key in theirs.captured.keys() - ours.captured.keys() - cases.keys()
    ]
    found += [
        f"{key} is paid here and not captured there" for key in ours.captured.keys() - theirs.captured.keys()
    ]
    found += [f"{key} is both paid and a case" for key in ours.captured.keys() & cases.keys()]
    for key in ours.captured.keys() & theirs.captured.keys():
        if ours.captured[key] != theirs.captured[key]:
            found.append(f"{key}: {theirs.captured[key]} there, {ours.captured[key]} here")
        back = theirs.refunded.get(key, Decimal(0)), ours.refunded.get(key, Decimal(0))
        if back[0] != back[1]:
            found.append(f"{key}: refunded {back[0]} there, {back[1]} here")
    made = Counter(p["transaction_id"] for p in ledger["payments"] if p["gateway"] == "yookassa")
    found += [f"order {order} made {count} payments" for order, count in made.items() if count > 1]
    return sorted(found)


def count(app: Flask, table: str) -> int:
    """How many rows a table of the portal has."""
    with app.app_context(), db.engine.connect() as connection:
        # The names of tables are written in tests only.
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())  # noqa: S608


def rows(app: Flask, query: str) -> list[Any]:
    """What the portal's database answers."""
    with app.app_context(), db.engine.connect() as connection:
        return list(connection.execute(text(query)).all())


def case_kinds(app: Flask) -> list[CaseKind]:
    """The kinds of the cases, oldest first."""
    with app.app_context(), db.engine.connect() as connection:
        return list(connection.execute(select(Case.kind).order_by(Case.id)).scalars())
