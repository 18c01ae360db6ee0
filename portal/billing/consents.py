"""The recurring agreement: its words, and the evidence that they were accepted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel.dates import format_date
from sqlalchemy.orm import Session

from portal import running
from portal.models import Consent, Plan
from portal.money import to_people

#: Changes with every change of the words below.
VERSION = "2026-11"


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the customer is asked to agree to, next to a box that is never ticked beforehand."""

    version: str
    text: str
    plan: Plan
    amount: Decimal
    currency: str
    period_days: int
    email_quota: int


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """Where a request came from, as far as it is evidence."""

    address: str
    user_agent: str


def agreement(plan: Plan, amount: Decimal, first_charge_at: datetime) -> Agreement:
    """The words for this plan: sum, period, date of the first charge, and how to end it."""
    config = running.config()
    day = format_date(first_charge_at.astimezone(ZoneInfo(config.tz_display)), "d MMMM y", locale="ru")
    text = (
        f"Согласен на автоматическое продление тарифа «{plan.title}»: {to_people(amount, plan.currency)} "
        f"каждые {plan.period_days} дн., первое списание — {day}. О каждом списании предупредим "
        "письмом заранее. "
        "Отключить продление и отвязать карту можно в любой момент в личном кабинете, одним нажатием."
    )
    return Agreement(VERSION, text, plan, amount, plan.currency, plan.period_days, plan.email_quota)


def record(
    session: Session, user_id: int, payment_id: int, accepted: Agreement, client: ClientInfo, now: datetime
) -> None:
    """Keep the evidence, in the transaction that writes the payment."""
    session.add(
        Consent(
            user_id=user_id,
            payment_id=payment_id,
            text_version=accepted.version,
            text=accepted.text,
            amount=accepted.amount,
            currency=accepted.currency,
            period_days=accepted.period_days,
            plan_id=accepted.plan.id,
            plan_code=accepted.plan.code,
            plan_title=accepted.plan.title,
            email_quota=accepted.email_quota,
            address=client.address[:45],
            user_agent=client.user_agent[:255],
            given_at=now,
        )
    )
