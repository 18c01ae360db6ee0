"""No order of changes, refunds, cancels, use and time earns money: the verbs against an accountant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select

from portal import clock
from portal.billing import cancellation, plan_changes, quota, worth
from portal.billing import settings as shop
from portal.billing.plan_changes import Means
from portal.database import db
from portal.models import Payment, Plan, PurchasedPlan, Refund, RefundStatus, User
from tests import laws
from tests.billing.changes import DAY, buy, look, order, pay, plan, send_back, use
from tests.billing.rows import a_customer, again

PLANS = ("START_MONTHLY", "PRO_MONTHLY", "BUSINESS_MONTHLY", "PRO_YEARLY", "BUSINESS_YEARLY")
KOPECK = Fraction(1, 100)
#: For how long after a payment a cancel gives anything back.
WINDOW = 14 * DAY


def part(one: timedelta, whole: timedelta) -> Fraction:
    """One time as a share of another, between nothing and all of it."""
    return min(
        max(Fraction(one // timedelta(microseconds=1), whole // timedelta(microseconds=1)), Fraction(0)),
        Fraction(1),
    )


@dataclass
class Entry:
    """One payment in the accountant's book, and the period that it gave."""

    payment: Payment
    starts_at: datetime
    paid_at: datetime
    used: int = 0
    #: counts, replaced, canceled, refunded, void
    state: str = "counts"
    back: Fraction = Fraction(0)
    #: Of a replaced or canceled period: the share of it that the customer has had.
    had: Fraction = Fraction(0)
    carried: int = 0
    replaced: Entry | None = None

    @property
    def length(self) -> timedelta:
        return self.payment.period_days * DAY

    @property
    def ends_at(self) -> datetime:
        return self.starts_at + self.length

    @property
    def worth(self) -> Fraction:
        """Paid and credited, less what went back; of the credit what is left of where it came from."""
        credit = min(Fraction(self.payment.credit), self.replaced.worth) if self.replaced else Fraction(0)
        return max(Fraction(self.payment.amount) + credit - self.back, Fraction(0))

    def by_time(self, now: datetime) -> Fraction:
        """The share of the time that is gone."""
        return part(now - self.starts_at, self.length)

    def by_use(self) -> Fraction:
        """The share of the e-mails that are used."""
        return Fraction(self.used, self.payment.email_quota)

    def gone(self, now: datetime) -> Fraction:
        """The larger of the two."""
        return max(self.by_time(now), self.by_use())


@dataclass
class Ordered:
    """A change that waits for its money: what it was worked out from."""

    payment: Payment
    base: Entry
    used: int


class Shop(RuleBasedStateMachine):
    """One customer, the verbs, and the accountant's own idea of what they should come to."""

    #: Refunds out of the gateway's cabinet, by which the shop gives away what was used already.
    gifts = False
    policy = "unused_days"

    def __init__(self) -> None:
        super().__init__()
        self.user: User | None = None
        self.now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
        self.book: list[Entry] = []
        self.orders: list[Ordered] = []
        self.steps = 0

    @initialize(
        start=st.sampled_from(("2026-11-22T12:00:00", "2028-02-28T23:59:59", "2027-12-31T00:00:00")),
        first=st.sampled_from(PLANS[:2]),
    )
    def open(self, start: str, first: str) -> None:
        self.now = datetime.fromisoformat(start).replace(tzinfo=UTC)
        self.user = a_customer(self.now)
        self.buys(first)

    # What the customer and the operator do.

    @rule(code=st.sampled_from(PLANS[:4]))
    def buys(self, code: str) -> None:
        assert self.user
        starts_at = max([self.now, *(one.ends_at for one in self.counting())])
        self.book.append(Entry(buy(self.user, self.now, code), starts_at, self.now))

    @rule(
        wait=st.one_of(
            st.sampled_from((60, 3599, 86_400, 13 * 86_400, 15 * 86_400, 29 * 86_400)),
            st.integers(0, 12 * 86_400),
        )
    )
    def waits(self, wait: int) -> None:
        self.now += timedelta(seconds=wait)

    @rule(share=st.sampled_from((1, 10, 50, 99, 100)))
    def sends(self, share: int) -> None:
        """E-mails: so many percent of what is left."""
        assert self.user
        current = self.current()
        if current is None:
            with pytest.raises(quota.NoPlan):
                use(self.user, 1, self.now)
            return
        emails = (current.payment.email_quota - current.used) * share // 100
        if emails:
            for_one = min(emails, quota.MOST_AT_ONCE)
            use(self.user, for_one, self.now)
            current.used += for_one

    @rule(
        code=st.sampled_from(PLANS[2:]),
        share=st.sampled_from((0, 10, 100)),
        wait=st.sampled_from((0, 600, 3600, 86_400)),
    )
    def changes(self, code: str, share: int, wait: int) -> None:
        """Ordered; e-mails are sent and time goes by; paid."""
        before = len(self.orders)
        self.orders_a_change(code)
        if share:
            self.sends(share)
        self.now += timedelta(seconds=1 + wait)
        if len(self.orders) > before:
            self.pays(0)

    @rule(codes=st.permutations(PLANS[2:]))
    def changes_in_two_tabs(self, codes: list[str]) -> None:
        """Two changes of one plan ordered and both of them paid."""
        before = len(self.orders)
        for code in codes[:2]:
            self.orders_a_change(code)
        for _ in self.orders[before:]:
            self.pays(0)

    @rule(code=st.sampled_from(PLANS))
    def orders_a_change(self, code: str) -> None:
        assert self.user
        current, wanted = self.current(), plan(code)
        seen = look(self.user, code, self.now)
        if not self.is_now(current, wanted):
            assert seen.means is not Means.NOW
            return
        assert current
        assert seen.means is Means.NOW
        made = order(self.user, code, self.now)
        if any(one.payment.id == made.id for one in self.orders):
            return
        credit = current.worth * (1 - current.gone(self.now))
        # Rounded down, and by less than a kopeck; the customer loses no more than that.
        assert 0 <= credit - Fraction(made.credit) < KOPECK
        assert made.amount + made.credit == wanted.get_final_price()
        self.orders.append(Ordered(made, current, current.used))

    @precondition(lambda self: self.orders)
    @rule(which=st.integers(0, 5))
    def pays(self, which: int) -> None:
        """One of the orders, the last or an old one, in time or late."""
        assert self.user
        ordered = self.orders.pop(-1 - which % len(self.orders))
        made, base = ordered.payment, ordered.base
        pay(self.user, made, self.now)
        entry = Entry(again(made), made.created_at, self.now, replaced=base)
        self.book.append(entry)
        ran = base.starts_at <= made.created_at < base.ends_at
        if base.state != "counts" or not ran or self.now >= entry.ends_at:
            entry.state, entry.back = "void", Fraction(made.amount)
            return
        base.state = "replaced"
        base.had = max(base.by_time(made.created_at), Fraction(ordered.used, made_quota(base)))
        entry.used = entry.carried = min(base.used - ordered.used, made.email_quota)
        self.lay_out(made.created_at)

    @rule()
    def cancels(self) -> None:
        assert self.user
        promised = cancellation.preview(self.user.id, self.now)
        done = cancellation.cancel(self.user.id, self.now)
        ending = [one for one in self.counting() if one.ends_at > self.now]
        if not ending:
            return
        assert promised is not None
        assert done is not None
        assert promised.sums == done.sums
        for entry in ending:
            begun = entry.starts_at <= self.now
            entry.state = "canceled"
            entry.had = entry.by_time(self.now) if begun else Fraction(0)
        self.read_refunds()

    @precondition(lambda self: self.gifts and self.book)
    @rule(which=st.integers(0, 5), whole=st.booleans())
    def gives_away(self, which: int, whole: bool) -> None:
        """A refund in the gateway's cabinet: all that is left of a payment, or a part."""
        self.give(self.book[-1 - which % len(self.book)], whole=whole)

    @precondition(lambda self: self.gifts and self.book)
    @rule(share=st.sampled_from((0, 10, 100)), what_it_replaced=st.booleans())
    def undoes(self, share: int, what_it_replaced: bool) -> None:
        """The running change is refunded in full, after some use; perhaps what it replaced as well."""
        current = self.current()
        if current is None or current.replaced is None:
            return
        if share:
            self.sends(share)
        if what_it_replaced:
            self.give(current.replaced, whole=True)
        self.give(current, whole=True)

    def give(self, entry: Entry, *, whole: bool) -> None:
        self.now += timedelta(seconds=1)  # no gateway sends back in the moment in which it takes
        left = Fraction(entry.payment.amount) - entry.back
        amount = left if whole else min(left / 3, Fraction(100))
        sum_ = Decimal(int(amount * 100)) / 100
        if not sum_:
            return
        send_back(entry.payment, self.now, sum_)
        entry.back += Fraction(sum_)
        if entry.back == Fraction(entry.payment.amount) and entry.state == "counts":
            self.take_back(entry)

    # The accountant.

    def take_back(self, entry: Entry) -> None:
        """All of its money is with the customer: what it replaced comes back, later periods move up."""
        entry.state = "refunded"
        if entry.replaced is not None and entry.starts_at <= self.now < entry.ends_at:
            since, base = entry.used - entry.carried, entry.replaced
            while base.back == Fraction(base.payment.amount) and base.replaced is not None:
                since, base = since + base.used - base.carried, base.replaced
            whole = base.back == Fraction(base.payment.amount)
            if base.state == "replaced" and base.ends_at > self.now and not whole:
                base.state = "counts"
                base.used = min(base.used + max(since, 0), made_quota(base))
        self.lay_out(self.now)

    def lay_out(self, since: datetime) -> None:
        """What counts and is not over follows without a gap; what has begun stays."""
        row = sorted((one for one in self.counting() if one.ends_at > since), key=lambda one: one.starts_at)
        end = None
        for one in row:
            one.starts_at = end or min(one.starts_at, since if one.starts_at <= since else self.now)
            end = one.ends_at

    def counting(self) -> list[Entry]:
        return [one for one in self.book if one.state == "counts"]

    def current(self) -> Entry | None:
        running = (one for one in self.counting() if one.starts_at <= self.now < one.ends_at)
        return next(running, None)

    def is_now(self, base: Entry | None, wanted: Plan) -> bool:
        if base is None or base.payment.plan_code == wanted.code:
            return False
        price, paid = Fraction(wanted.get_final_price()), Fraction(base.payment.amount + base.payment.credit)
        more = price > paid or price / wanted.period_days > paid / base.payment.period_days
        credit = int(base.worth * (1 - base.gone(self.now)) * 100)
        return more and credit < price * 100

    def read_refunds(self) -> None:
        """What a cancel ordered, by the portal's book; whether it is too much is asked below."""
        ordered = select(Refund.payment_id, func.sum(Refund.amount)).where(
            Refund.payment_id.in_([entry.payment.id for entry in self.book]),
            Refund.status != RefundStatus.FAILED,
        )
        sums = dict(db.session.execute(ordered.group_by(Refund.payment_id)).all())
        for entry in self.book:
            entry.back = Fraction(sums.get(entry.payment.id, Decimal(0)))

    # What must hold at every moment.

    @invariant()
    def what_counts_is_what_the_accountant_has(self) -> None:
        if self.user is None:
            return
        found = db.session.execute(
            select(PurchasedPlan.payment_id, PurchasedPlan.starts_at, PurchasedPlan.emails_used)
            .where(PurchasedPlan.user_id == self.user.id, PurchasedPlan.revoked_at.is_(None))
            .order_by(PurchasedPlan.starts_at)
        )
        counted = sorted(self.counting(), key=lambda one: one.starts_at)
        assert [tuple(one) for one in found] == [(one.payment.id, one.starts_at, one.used) for one in counted]

    @invariant()
    def nobody_earns_money(self) -> None:
        """What went back, what still stands and what was had are never more than what was taken."""
        if self.user is None:
            return
        taken = back = stands = had = Fraction(0)
        for one in self.book:
            taken += Fraction(one.payment.amount)
            back += one.back
            if one.state == "counts":
                begun = one.starts_at <= self.now
                share = one.gone(self.now) if begun else Fraction(0)
                stands += one.worth * (1 - share)
                had += one.worth * share
            elif one.state in {"replaced", "canceled"}:
                had += self.full_worth(one) * one.had
        db.session.rollback()
        if self.gifts:
            assert back + stands <= taken
        else:
            assert back + stands + had <= taken, (back, stands, had, taken)
        base = worth.base(db.session(), self.user.id, self.now)
        current = self.current()
        assert (base is None) == (current is None)
        if base and current:
            assert Fraction(base.credit(self.now)) <= current.worth * (1 - current.gone(self.now))

    @staticmethod
    def full_worth(entry: Entry) -> Fraction:
        """What a period was worth when it ended: all that was paid and credited."""
        return Fraction(entry.payment.amount + entry.payment.credit)

    def teardown(self) -> None:
        if self.user is not None:
            db.session.rollback()
            assert laws.violations(self.now) == []
            assert plan_changes.choices(
                plan_changes.situation(db.session(), self.user.id, self.now), self.now
            )
        db.session.remove()


class GenerousShop(Shop):
    """The same with an operator who refunds in the gateway's cabinet whatever he likes."""

    gifts = True


def made_quota(entry: Entry) -> int:
    """How many e-mails a period has."""
    return entry.payment.email_quota


@pytest.mark.parametrize("machine", (Shop, GenerousShop))
def test_nobody_earns_money(context: Flask, machine: type[Shop]) -> None:
    """Whatever is bought, used, changed, paid late, canceled and sent back, in whatever order."""
    shop.put("refund_policy", machine.policy, clock.now())
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=10,
            stateful_step_count=10,
            deadline=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
