"""A shop whose rows are thrown at random, and its figures counted by looking at every row, one by one.

Nothing here knows how the portal counts: plain loops over lists, written from the words beside each number.
"""

from __future__ import annotations

import random
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select, update

from portal.billing.questions import Question
from portal.billing.statistics import Numbers
from portal.billing_mode import BillingMode
from portal.database import db, transaction
from portal.models import (
    Consent,
    GatewayName,
    Payment,
    PaymentPurpose,
    PaymentStatus,
    Plan,
    PurchasedPlan,
    Refund,
    RefundSource,
    RefundStatus,
    Revocation,
    Subscription,
    SubscriptionStatus,
    User,
)

MOSCOW = ZoneInfo("Europe/Moscow")
DAYS = 75
_CODES = ("5051", "5054", "insufficient_funds", "expired", "not_created", None, "new-code")
_UNTRIED = {"expired", "expired_on_confirmation", "superseded", "not_created"}
_BUYS = {PaymentPurpose.PURCHASE, PaymentPurpose.RENEWAL, PaymentPurpose.CHANGE}
_OPEN = {PaymentStatus.PENDING, PaymentStatus.AUTHORIZED, PaymentStatus.UNKNOWN}


def rows_of(model: Any) -> list[Any]:
    """Every row of a table."""
    return list(db.session.scalars(select(model).execution_options(populate_existing=True)))


@dataclass
class RandomShop:
    """Customers who buy, pay, are refused and get money back, as the dice say, up to *now*."""

    dice: random.Random
    now: datetime
    users: list[int] = field(default_factory=list)

    def open(self, customers: int = 4) -> None:
        """Customers, each with a subscription that lives or not."""
        with transaction() as session:
            people = [
                User(email=f"{uuid.uuid4()}@example.com", password_hash="x", created_at=self.now)
                for _ in range(customers)
            ]
            session.add_all(people)
            session.flush()
            self.users = [one.id for one in people]
            plan = session.scalars(select(Plan)).first()
            assert plan is not None
            for number in self.users:
                session.add(self._subscription(number, plan.id))

    def live_a_while(self, acts: int) -> None:
        """Some acts, each committed by itself as in life, with moments of the past in any order."""
        for _ in range(acts):
            act = self.dice.choice(
                (self.pay, self.pay, self.pay, self.change, self.learn, self.refund, self.agree, self.revoke)
            )
            act()

    def moment(self) -> datetime:
        """Some moment up to now; often at the edge of a day."""
        day = self.now - timedelta(days=self.dice.randrange(DAYS))
        if self.dice.random() < 0.3:
            midnight = datetime(day.year, day.month, day.day, tzinfo=MOSCOW)
            return min(midnight + timedelta(microseconds=self.dice.choice((-1, 0, 1))), self.now)
        return day - timedelta(seconds=self.dice.randrange(86_400))

    def pay(self) -> None:
        """An order or an attempt at a renewal, in any state; what was paid for begins a period."""
        row = self._payment()
        with transaction() as session:
            number = session.execute(insert(Payment).values(row).returning(Payment.id)).scalar_one()
            if row["status"] is PaymentStatus.SUCCEEDED and row["purpose"] in _BUYS:
                session.execute(insert(PurchasedPlan).values(self._period(number, row)))

    def change(self) -> None:
        """A payment moves on: what was open or refused is paid, refused or set aside."""
        waiting = [one for one in rows_of(Payment) if one.status is not PaymentStatus.SUCCEEDED]
        if not waiting:
            return
        payment, moment = self.dice.choice(waiting), self.moment()
        if self.dice.random() < 0.5:
            changes: dict[str, Any] = {"failure_code": self.dice.choice(_CODES), "superseded_at": moment}
            changes |= {"status": PaymentStatus.FAILED, "refused_at": moment}
        else:
            changes = {
                "status": PaymentStatus.SUCCEEDED,
                "paid_at": moment,
                "gateway_payment_id": str(uuid.uuid4()),
            }
            changes |= {"refunded_amount": payment.amount if payment.purpose is PaymentPurpose.RENEWAL else 0}
        with transaction() as session:
            session.execute(update(Payment).where(Payment.id == payment.id).values(changes))

    def learn(self) -> None:
        """The gateway tells what it keeps of a payment, or tells it otherwise."""
        paid = [one for one in rows_of(Payment) if one.status is PaymentStatus.SUCCEEDED]
        if paid:
            with transaction() as session:
                told = update(Payment).where(Payment.id == self.dice.choice(paid).id)
                session.execute(told.values(fee=Decimal(self.dice.randrange(0, 5000)) / 100))

    def refund(self) -> None:
        """Some money goes back, or is on its way."""
        paid = [one for one in rows_of(Payment) if one.status is PaymentStatus.SUCCEEDED]
        if not paid:
            return
        payment, status = self.dice.choice(paid), self.dice.choice(list(RefundStatus))
        ended = status in {RefundStatus.SUCCEEDED, RefundStatus.FAILED}
        row = {
            "payment_id": payment.id,
            "gateway": payment.gateway,
            "key": str(uuid.uuid4()),
            "amount": Decimal(self.dice.randrange(1, 5000)) / 100,
            "currency": "RUB",
            "status": status,
            "source": self.dice.choice(list(RefundSource)),
            "reason": "",
            "created_at": self.moment(),
            "finished_at": self.moment() if ended else None,
            "checks": 0,
        }
        with transaction() as session:
            session.execute(insert(Refund).values(row))

    def agree(self) -> None:
        """A customer agrees to renewals, and perhaps takes it back."""
        given = self.moment()
        because = self.dice.choice((None, None, "stopped", "ended", "not_saved", "replaced"))
        plan = rows_of(Plan)[0]
        row = {
            "user_id": self.dice.choice(self.users),
            "amount": Decimal("990.00"),
            "currency": "RUB",
            "period_days": 30,
            "plan_id": plan.id,
            "plan_code": plan.code,
            "plan_title": plan.title,
            "email_quota": 1,
            "given_at": given,
            "withdrawn_at": min(given + timedelta(days=self.dice.randrange(40)), self.now)
            if because
            else None,
            "withdrawn_because": because,
        }
        row |= dict.fromkeys(("text_version", "text", "address", "user_agent"), "")
        with transaction() as session:
            session.execute(insert(Consent).values(row))

    def revoke(self) -> None:
        """A period ends early, or moves."""
        periods = rows_of(PurchasedPlan)
        if not periods:
            return
        period = self.dice.choice(periods)
        if self.dice.random() < 0.5:
            changes: dict[str, Any] = {"revoked_at": self.moment(), "revoked_because": Revocation.REFUNDED}
        else:
            start = self.moment()
            changes = {"starts_at": start, "ends_at": start + (period.ends_at - period.starts_at)}
        with transaction() as session:
            session.execute(update(PurchasedPlan).where(PurchasedPlan.id == period.id).values(changes))

    def _subscription(self, user_id: int, plan_id: int) -> Subscription:
        return Subscription(
            user_id=user_id,
            plan_id=plan_id,
            status=self.dice.choice((SubscriptionStatus.ACTIVE, SubscriptionStatus.EXPIRED)),
            current_period_start=self.now - timedelta(days=DAYS),
            current_period_end=self.now,
            charge_look_at=self.dice.choice((None, self.now, self.now - timedelta(hours=5))),
            held_since=self.dice.choice((None, None, self.now)),
            created_at=self.now,
        )

    def _payment(self) -> dict[str, Any]:
        status = self.dice.choice((PaymentStatus.SUCCEEDED, PaymentStatus.SUCCEEDED, *PaymentStatus))
        paid, failed = status is PaymentStatus.SUCCEEDED, status is PaymentStatus.FAILED
        begun, plan, user_id = self.moment(), self.dice.choice(rows_of(Plan)), self.dice.choice(self.users)
        # One order of a customer and a plan is open at a time.
        is_open = any(
            one.status in _OPEN and not one.superseded_at and (one.user_id, one.plan_id) == (user_id, plan.id)
            for one in rows_of(Payment)
        )
        purpose = self.dice.choice((PaymentPurpose.PURCHASE, PaymentPurpose.PURCHASE, PaymentPurpose.BINDING))
        return {
            "transaction_id": str(uuid.uuid4()),
            "user_id": user_id,
            "plan_id": plan.id,
            "gateway": self.dice.choice(list(GatewayName)),
            "gateway_payment_id": str(uuid.uuid4()) if paid else None,
            "purpose": purpose,
            "status": status,
            "amount": Decimal(self.dice.randrange(1, 10**6)) / 100,
            "currency": "RUB",
            "refunded_amount": 0,
            "billing_mode": self.dice.choice(list(BillingMode)),
            "test_mode": self.dice.random() < 0.2,
            "plan_code": plan.code,
            "plan_title": plan.title,
            "period_days": self.dice.choice((7, 30, 365)),
            "email_quota": 1,
            "description": "",
            "attempt": 0,
            "credit": 0,
            "replaced_emails_used": 0,
            "checks": 0,
            "failure_code": self.dice.choice(_CODES) if failed else None,
            "refused_at": begun if self.dice.random() < 0.3 else None,
            "superseded_at": begun if not paid and (is_open or self.dice.random() < 0.9) else None,
            "created_at": begun,
            "expires_at": begun,
            "paid_at": self.moment() if paid else None,
            "fee": Decimal(self.dice.randrange(5000)) / 100 if paid and self.dice.random() < 0.6 else None,
        }

    def _period(self, payment_id: int, row: dict[str, Any]) -> dict[str, Any]:
        start = self.moment()
        mine = [one.id for one in rows_of(Subscription) if one.user_id == row["user_id"]]
        return {
            "user_id": row["user_id"],
            "subscription_id": mine[0],
            "payment_id": payment_id,
            "plan_id": row["plan_id"],
            "plan_code": row["plan_code"],
            "plan_title": row["plan_title"],
            "starts_at": start,
            "ends_at": start + timedelta(days=row["period_days"]),
            "email_quota": 1,
            "emails_used": 0,
            "created_at": start,
        }


@dataclass
class ByHand:
    """The same question, answered by looking at every row."""

    question: Question
    now: datetime

    def __post_init__(self) -> None:
        self.payments = {one.id: one for one in rows_of(Payment)}
        self.refunds, self.periods = rows_of(Refund), rows_of(PurchasedPlan)

    def inside(self, moment: datetime | None) -> bool:
        """In the window, and not in the future."""
        if moment is None or moment >= self.now:
            return False
        return self.question.since <= moment.astimezone(MOSCOW).date() <= self.question.until

    def about(self, payment: Any) -> bool:
        """One of the payments asked for."""
        asked = self.question
        gateway = asked.gateway is None or asked.gateway == payment.gateway
        mode = asked.mode is None or asked.mode == payment.billing_mode
        return gateway and mode and payment.test_mode == asked.test

    def captured(self) -> tuple[int, Decimal]:
        """Money that came in."""
        paid = [p for p in self.payments.values() if self.about(p) and self.inside(p.paid_at)]
        return len(paid), sum((p.amount for p in paid), Decimal(0))

    def refunded(self) -> tuple[int, Decimal]:
        """Money that went out."""
        back = [
            r
            for r in self.refunds
            if r.status is RefundStatus.SUCCEEDED
            and self.inside(r.finished_at)
            and self.about(self.payments[r.payment_id])
        ]
        return len(back), sum((r.amount for r in back), Decimal(0))

    def register(self) -> dict[tuple[date, str], list[Any]]:
        """Each day's money at each gateway: payments, their sum, refunds, theirs, the fees that are known,
        the payments of which none is.
        """
        found: dict[tuple[date, str], list[Any]] = defaultdict(lambda: [0, Decimal(0)] * 2 + [Decimal(0), 0])
        for p in self.payments.values():
            if self.about(p) and self.inside(p.paid_at):
                line = found[p.paid_at.astimezone(MOSCOW).date(), p.gateway.value]
                line[0] += 1
                line[1] += p.amount
                if p.fee is None:
                    line[5] += 1
                else:
                    line[4] += p.fee
        for r in self.refunds:
            payment = self.payments[r.payment_id]
            if r.status is RefundStatus.SUCCEEDED and self.inside(r.finished_at) and self.about(payment):
                line = found[r.finished_at.astimezone(MOSCOW).date(), payment.gateway.value]
                line[2] += 1
                line[3] += r.amount
        return dict(found)

    def created(self) -> Counter[str]:
        """Payments begun, by state."""
        return Counter(p.status.value for p in self._begun())

    def orders(self) -> Counter[str]:
        """How orders ended; every shop here has its renewals elsewhere."""
        return Counter(self._outcome(p) for p in self._begun() if p.purpose is PaymentPurpose.PURCHASE)

    def declined(self) -> Counter[str]:
        """Why attempts were refused."""
        refused = [p for p in self._begun() if p.purpose in _BUYS and self._outcome(p) == "declined"]
        return Counter(p.failure_code or "unknown" for p in refused)

    def running(self) -> dict[str, tuple[int, Decimal]]:
        """Plans that run at the end of the window, and what they bring in 30 days."""
        last = datetime.combine(self.question.until + timedelta(days=1), datetime.min.time(), MOSCOW)
        moment, found = min(last, self.now), dict[str, tuple[int, Decimal]]()
        for period in self.periods:
            start, end = period.starts_at, self._end(period)
            if start < moment <= end and start < end and self.about(self.payments[period.payment_id]):
                n, worth = found.get(period.plan_code, (0, Decimal(0)))
                found[period.plan_code] = n + 1, worth + self._worth(period)
        return found

    def customers(self) -> Counter[str]:
        """Who came for the first time, who came again, who has gone: edges of the time that is covered."""
        found: Counter[str] = Counter()
        for who in {period.user_id for period in self.periods}:
            theirs = [p for p in self.periods if p.user_id == who and p.starts_at < self._end(p)]
            first = min((p.id for p in self.periods if p.user_id == who), default=0)
            for begins, ends in self._covered(theirs):
                if self.inside(begins.starts_at) and self.about(self.payments[begins.payment_id]):
                    found["new" if begins.id == first else "returned"] += 1
                if self.inside(self._end(ends)) and self.about(self.payments[ends.payment_id]):
                    found["lost"] += 1
        return found

    def _covered(self, periods: list[Any]) -> Iterator[tuple[Any, Any]]:
        """Runs of periods without a gap: the one that begins each, and the one that ends it last."""
        run: list[Any] = []
        for period in sorted(periods, key=lambda p: (p.starts_at, p.id)):
            if run and max(self._end(p) for p in run) < period.starts_at:
                yield run[0], max(run, key=lambda p: (self._end(p), p.id))
                run = []
            run.append(period)
        if run:
            yield run[0], max(run, key=lambda p: (self._end(p), p.id))

    def _begun(self) -> list[Any]:
        return [p for p in self.payments.values() if self.about(p) and self.inside(p.created_at)]

    def _outcome(self, payment: Any) -> str:
        if payment.status is PaymentStatus.SUCCEEDED:
            return "first" if payment.refused_at is None else "later"
        if payment.status is PaymentStatus.FAILED and payment.failure_code not in _UNTRIED:
            return "declined"
        set_aside = payment.superseded_at is not None or payment.status is PaymentStatus.FAILED
        return "abandoned" if set_aside else "open"

    def _end(self, period: Any) -> datetime:
        found: datetime = min(period.ends_at, period.revoked_at or period.ends_at)
        return found

    def _worth(self, period: Any) -> Decimal:
        payment = self.payments[period.payment_id]
        price = payment.amount + payment.credit
        worth: Decimal = (price * 30 / payment.period_days).quantize(Decimal("0.01"), ROUND_HALF_UP)
        return worth


def told(numbers: Numbers, name: str) -> Counter[str]:
    """The portal's own count, by detail, in the form in which it is counted by hand."""
    return Counter({detail: tally.n for detail, tally in numbers.by(name, "detail").items()})


def some_window(dice: random.Random, today: date) -> Question:
    """Days and payments to ask about."""
    until = today - timedelta(days=dice.choice((0, 0, 1, 5, 20)))
    return Question(
        since=until - timedelta(days=dice.choice((0, 1, 6, 29, 70))),
        until=until,
        gateway=dice.choice((None, None, *GatewayName)),
        mode=dice.choice((None, None, *BillingMode)),
        test=dice.random() < 0.2,
    )
