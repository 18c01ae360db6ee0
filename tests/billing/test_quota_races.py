"""E-mails used in the same moment, on a real PostgreSQL: threads at one barrier, a connection each."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from portal.billing import entitlement, quota, recount
from portal.billing.quota import NoPlan, QuotaExceeded, Used
from portal.database import db, transaction
from portal.models import Notification, PurchasedPlan, UsageRecord, User
from tests.billing.conftest import NOW
from tests.billing.rows import a_customer
from tests.billing.test_quota import broken, someone, used_of
from tests.billing.test_subscriptions import buy, give_back

THREADS = 12


def at_once(app: Flask, *acts: Callable[[], Any]) -> list[Any]:
    """What acts return, or the refusals they raise, when all begin at one moment; other errors fail."""
    gate, results = threading.Barrier(len(acts)), [None] * len(acts)

    def run(place: int, act: Callable[[], Any]) -> None:
        with app.app_context():
            gate.wait(30)
            try:
                results[place] = act()
            except Exception as error:  # noqa: BLE001 - handed to the test, which asserts on it
                results[place] = error

    threads = [threading.Thread(target=run, args=found) for found in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    strange = [
        one for one in results if isinstance(one, Exception) and not isinstance(one, QuotaExceeded | NoPlan)
    ]
    assert strange == []
    return results


def recorded(user: User) -> int:
    """The sum of the customer's usage records."""
    found = db.session.scalars(select(UsageRecord.quantity).where(UsageRecord.user_id == user.id))
    return sum(found)


def test_never_below_zero(app: Flask) -> None:
    """More uses at once than fit: exactly what fits is counted, each with an answer of its own."""
    with app.app_context():
        email = someone(NOW, 20).email

    def three(thread: int) -> list[int | None]:
        left: list[int | None] = []
        for number in range(3):
            try:
                left.append(quota.use(email, 1, f"{thread}-{number}", NOW).emails_left)
            except QuotaExceeded:
                left.append(None)
        return left

    answers = at_once(app, *(lambda n=n: three(n) for n in range(THREADS)))

    counted = Counter(left for answer in answers for left in answer)
    assert counted == {**dict.fromkeys(range(20), 1), None: 3 * THREADS - 20}
    with app.app_context():
        user = db.session.scalars(select(User).where(User.email == email)).one()
        assert (used_of(user), recorded(user)) == ([20], 20)
        told = db.session.scalars(
            select(Notification.kind).where(Notification.kind.startswith("quota"))
        ).all()
        assert sorted(told) == ["quota_low"] * 4 + ["quota_spent"] * 2  # three lines, two channels
        assert broken() == []


@pytest.mark.parametrize("plans", (1, 2))
def test_one_key_is_counted_once(app: Flask, plans: int) -> None:
    """The same key from many threads, also across the end of a period: one count, one answer for all."""
    with app.app_context():
        email = someone(NOW, 1_000, plans=plans).email
    moments = [NOW, NOW + (plans - 1) * timedelta(days=30)]

    answers = at_once(
        app, *(lambda n=n: quota.use(email, 5, "one key", moments[n % 2]) for n in range(THREADS))
    )

    assert Counter(answers) == {Used(995, repeated=False): 1, Used(995, repeated=True): THREADS - 1}
    with app.app_context():
        user = db.session.scalars(select(User).where(User.email == email)).one()
        assert (sum(used_of(user)), recorded(user)) == (5, 5)


@pytest.mark.parametrize("attempt", range(4))
def test_use_while_the_period_is_taken_away(app: Flask, attempt: int) -> None:
    """Uses that race a refund count in the refunded period or in the one that moves up, and nobody waits in a
    circle.
    """
    with app.app_context():
        user = a_customer(NOW)
        refunded = buy(user, NOW)
        buy(user, NOW)
        email = user.email
    uses = [lambda n=n: quota.use(email, 1, str(n), NOW) for n in range(6)]
    looks = [lambda: entitlement.of(email, NOW).periods.current, recount.recount]

    answers = at_once(app, *uses[:3], lambda: give_back(refunded, NOW), *looks, *uses[3:])

    assert sum(isinstance(one, Used) for one in answers) == 6
    with app.app_context():
        assert (sum(used_of(user)), recorded(user)) == (6, 6)
        assert broken() == []


def test_recounts_at_once_beside_use(app: Flask) -> None:
    """Wrong counters are right afterwards; each is reported by one of the runs, and no use is lost."""
    with app.app_context():
        users = [someone(NOW, 1_000) for _ in range(6)]
        emails = [user.email for user in users]
        for email in emails:
            quota.use(email, 10, "before", NOW)
        with transaction() as session:
            session.execute(update(PurchasedPlan).values(emails_used=500))
    uses = [lambda e=e, n=n: quota.use(e, 1, str(n), NOW) for e in emails for n in range(2)]

    answers = at_once(app, *uses[:6], recount.recount, recount.recount, *uses[6:])

    runs = [one for one in answers if isinstance(one, recount.Recount)]
    with app.app_context():
        assert sorted(drift.user_id for run in runs for drift in run.drifts) == sorted(
            user.id for user in users
        )
        assert [used_of(user) for user in users] == [[12]] * 6
        assert broken() == []
        assert recount.recount().drifts == ()
