"""The recurring agreement: its words, and the evidence that they were accepted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import written
from portal.billing.stopping import Because
from portal.database import db
from portal.models import Consent, Payment, PaymentStatus, Plan
from portal.money import to_wire
from portal.wording import SOURCE, language, say

#: Changes with every change of the words below; each translation has its language behind it.
VERSION = "2026-12"


@dataclass(frozen=True, slots=True)
class AgreedPlan:
    """A plan's terms as an agreement froze them, by the same names that the plan has them under."""

    id: int
    code: str
    title: str
    currency: str
    period_days: int
    email_quota: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the customer is asked to agree to, next to a box that is never ticked beforehand."""

    version: str
    text: str
    plan: Plan | AgreedPlan
    amount: Decimal
    currency: str
    period_days: int
    email_quota: int


@dataclass(frozen=True, slots=True)
class Given:
    """An agreement that was given, and whether the order that it was given with was paid."""

    consent: Consent
    paid: bool

    @property
    def in_force(self) -> bool:
        """Whether renewals are charged by it."""
        return self.paid and self.consent.withdrawn_at is None


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """Where a request came from, as far as it is evidence."""

    address: str
    user_agent: str


def plan_agreed_to(consent: Consent) -> AgreedPlan:
    """The terms on which a standing agreement renews, whatever has become of the plan since."""
    return AgreedPlan(
        consent.plan_id,
        consent.plan_code,
        consent.plan_title,
        consent.currency,
        consent.period_days,
        consent.email_quota,
    )


def agreement(plan: Plan | AgreedPlan, amount: Decimal, first_charge_at: datetime) -> Agreement:
    """The words for this plan: sum, period, date of the first charge, and how to end it.

    They are in the language of whoever reads them now, and so is the evidence.
    """
    text = say(
        "Согласен на автоматическое продление тарифа «%(title)s»: %(sum)s раз в %(term)s, первое списание — "
        "%(day)s. О каждом списании предупредим письмом заранее. Отключить продление и отвязать карту можно "
        "в любой момент в личном кабинете, одним нажатием.",
        title=plan.title,
        sum=written.money(amount, plan.currency),
        term=written.days(plan.period_days),
        day=written.day(first_charge_at),
    )
    tongue = language()
    version = VERSION if tongue == SOURCE else f"{VERSION}-{tongue}"
    return Agreement(version, text, plan, amount, plan.currency, plan.period_days, plan.email_quota)


def record(
    session: Session,
    user_id: int,
    payment_id: int | None,
    accepted: Agreement,
    client: ClientInfo,
    now: datetime,
) -> Consent:
    """Keep the evidence, in the transaction that writes the payment, or that switches renewal on again."""
    consent = Consent(
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
    session.add(consent)
    return consent


def given_by(user_id: int) -> list[Given]:
    """All agreements of a customer, those that ended among them, newest first."""
    found = db.session.execute(
        select(Consent, Payment.status)
        .outerjoin(Payment, Payment.id == Consent.payment_id)
        .where(Consent.user_id == user_id)
        .order_by(Consent.id.desc())
    )
    return [Given(consent, status in {None, PaymentStatus.SUCCEEDED}) for consent, status in found]


def was_not_saved(payment_id: int) -> bool:
    """Whether the customer agreed to renewals with this payment, and its method could not be saved."""
    unused = select(Consent.id).where(
        Consent.payment_id == payment_id, Consent.withdrawn_because == Because.NOT_SAVED.value
    )
    return db.session.scalar(unused) is not None


def export(user_id: int) -> list[dict[str, Any]]:
    """The evidence for a program: the words, the terms, the moments, whence they came, how they ended."""
    return [
        {
            "given_at": one.given_at.isoformat(),
            "text_version": one.text_version,
            "text": one.text,
            "plan_code": one.plan_code,
            "plan_title": one.plan_title,
            "amount": to_wire(one.amount),
            "currency": one.currency,
            "period_days": one.period_days,
            "email_quota": one.email_quota,
            "address": one.address,
            "user_agent": one.user_agent,
            "in_force": given.in_force,
            "withdrawn_at": one.withdrawn_at and one.withdrawn_at.isoformat(),
            "withdrawn_because": one.withdrawn_because,
        }
        for given in given_by(user_id)
        for one in (given.consent,)
    ]
