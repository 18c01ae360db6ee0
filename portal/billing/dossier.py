"""What is kept of one customer, as facts for a program: the money's part of the file that they take away.

Each part names the columns that it tells, and nothing else is read: tokens, keys, the shop's own notes and
other people's names are in none of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Executable, select

from portal.billing import consents, entitlement
from portal.database import db
from portal.models import (
    Channel,
    MethodBinding,
    Notification,
    Payment,
    PaymentMethod,
    PeriodExtension,
    Plan,
    PurchasedPlan,
    Receipt,
    Refund,
    Subscription,
)
from portal.money import to_wire

Facts = dict[str, Any]
#: By the number of the row that they stand under.
Under = Mapping[int, list[Facts]]


def of(user_id: int, email: str, now: datetime) -> Facts:
    """All of it, the oldest first in each part: about a dozen statements, however much there is."""
    return {
        "usage": _usage(email, now),
        "subscriptions": _subscriptions(user_id),
        "plans": _periods(user_id),
        "payments": _payments(user_id),
        "agreements": consents.export(user_id),
        "payment_methods": _methods(user_id),
        "saved_without_buying": _bindings(user_id),
        "letters": _letters(user_id),
    }


def _usage(email: str, now: datetime) -> Facts:
    """What may be used now."""
    found = entitlement.of(email, now)
    current = found.periods.current
    return {
        "status": found.status,
        "active_until": _plain(found.periods.active_until()),
        "emails_total": current.email_quota if current else 0,
        "emails_used": current.emails_used if current else 0,
        "emails_left": current.email_quota - current.emails_used if current else 0,
    }


def _subscriptions(user_id: int) -> list[Facts]:
    one = Subscription
    columns = (one.status, Plan.code.label("plan_code"), one.current_period_start, one.current_period_end)
    more = (one.auto_renew, one.charge_due_at, one.grace_until, one.created_at, one.ended_at)
    wanted = select(*columns, *more).join(Plan, Plan.id == one.plan_id).where(one.user_id == user_id)
    return _facts(wanted.order_by(one.id))


def _periods(user_id: int) -> list[Facts]:
    """What was bought, with what is used of it and the days that were given."""
    one = PurchasedPlan
    columns = (one.id, Payment.transaction_id, one.plan_code, one.plan_title, one.starts_at, one.ends_at)
    more = (one.email_quota, one.emails_used, one.revoked_at, one.revoked_because, one.created_at)
    wanted = select(*columns, *more).join(Payment, Payment.id == one.payment_id).where(one.user_id == user_id)
    given = select(PeriodExtension.purchased_plan_id, PeriodExtension.days, PeriodExtension.created_at).join(
        one, one.id == PeriodExtension.purchased_plan_id
    )
    days = _under(given.where(one.user_id == user_id).order_by(PeriodExtension.id), "purchased_plan_id")
    return [row | {"days_given": days.get(row.pop("id"), [])} for row in _facts(wanted.order_by(one.id))]


def _payments(user_id: int) -> list[Facts]:
    """Every order, with what went back of it and what the cash register made."""
    refunds, receipts = _refunds(user_id), _receipts(user_id)
    found = []
    for row in _facts(select(*_PAYMENT).where(Payment.user_id == user_id).order_by(Payment.id)):
        payment_id = row.pop("id")
        found.append(row | {"refunds": refunds.get(payment_id, []), "receipts": receipts.get(payment_id, [])})
    return found


_PAYMENT: Sequence[Any] = (
    Payment.id,
    Payment.transaction_id,
    Payment.gateway,
    Payment.gateway_payment_id,
    Payment.purpose,
    Payment.status,
    Payment.amount,
    Payment.refunded_amount,
    Payment.credit,
    Payment.currency,
    Payment.plan_code,
    Payment.plan_title,
    Payment.period_days,
    Payment.email_quota,
    Payment.description,
    Payment.billing_mode,
    Payment.method_title,
    Payment.failure_code,
    Payment.created_at,
    Payment.paid_at,
    Payment.failed_at,
)


def _refunds(user_id: int) -> Under:
    one = Refund
    columns = (one.payment_id, one.gateway_refund_id, one.amount, one.currency, one.status, one.source)
    more = (one.failure_code, one.created_at, one.finished_at)
    wanted = select(*columns, *more).join(Payment, Payment.id == one.payment_id)
    return _under(wanted.where(Payment.user_id == user_id).order_by(one.id), "payment_id")


def _receipts(user_id: int) -> Under:
    one = Receipt
    wanted = select(one.payment_id, one.gateway_receipt_id, one.kind, one.url, one.created_at)
    wanted = wanted.join(Payment, Payment.id == one.payment_id)
    return _under(wanted.where(Payment.user_id == user_id).order_by(one.id), "payment_id")


def _methods(user_id: int) -> list[Facts]:
    """As they are shown: of a card the last four digits. Those that were unlinked are told as well."""
    one = PaymentMethod
    columns = (one.gateway, one.kind, one.title, one.last4, one.brand, one.bank)
    more = (one.expiry_month, one.expiry_year, one.created_at, one.stopped_at, one.detached_at)
    return _facts(select(*columns, *more).where(one.user_id == user_id).order_by(one.id))


def _bindings(user_id: int) -> list[Facts]:
    one = MethodBinding
    wanted = select(one.gateway, one.status, one.created_at).where(one.user_id == user_id)
    return _facts(wanted.order_by(one.id))


def _letters(user_id: int) -> list[Facts]:
    """What was sent and when; not what was true no more when it could leave."""
    one = Notification
    sent: tuple[ColumnElement[bool], ...] = (one.sent_at.is_not(None), one.last_error.is_(None))
    wanted = select(one.kind, one.sent_at).where(one.user_id == user_id, one.channel == Channel.EMAIL, *sent)
    return _facts(wanted.order_by(one.id))


def _facts(wanted: Executable) -> list[Facts]:
    """The rows as a program reads them."""
    return [
        {name: _plain(value) for name, value in row.items()} for row in db.session.execute(wanted).mappings()
    ]


def _under(wanted: Executable, name: str) -> Under:
    """The rows under the number in column *name*, which they lose."""
    found: dict[int, list[Facts]] = defaultdict(list)
    for row in _facts(wanted):
        found[row.pop(name)].append(row)
    return found


def _plain(value: Any) -> Any:
    """Sums and moments as the API writes them; a word of ours is text already."""
    if isinstance(value, Decimal):
        return to_wire(value)
    return value.isoformat() if isinstance(value, datetime) else value
