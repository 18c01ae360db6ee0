from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, update

from portal.billing import refund_outcomes, refunds, sending_back
from portal.billing.refund_outcomes import Came
from portal.database import db, transaction
from portal.errors import InvalidRequest, NotFound
from portal.gateways.base import Outcome, RefundSnapshot
from portal.models import (
    Case,
    CaseKind,
    Notification,
    Payment,
    PaymentPurpose,
    PurchasedPlan,
    Refund,
    RefundSource,
    RefundStatus,
)
from portal.models.refund import MOVES, may_move
from tests import laws
from tests.billing.rows import YOOKASSA, a_customer, a_payment, again, locked, numbers, settled, told

PENDING, SUCCEEDED, FAILED, UNKNOWN = (
    RefundStatus.PENDING,
    RefundStatus.SUCCEEDED,
    RefundStatus.FAILED,
    RefundStatus.UNKNOWN,
)


@pytest.fixture
def paid(now: datetime) -> Payment:
    """A paid plan of 990 roubles."""
    return a_paid_plan(now)


def a_paid_plan(now: datetime, **changes: Any) -> Payment:
    user = a_customer(now)
    payment = a_payment(user, now, **changes)
    settled(payment, told(payment, user, Outcome.SUCCEEDED, str(next(numbers))), now)
    return again(payment)


def give_back(payment: Payment, amount: str, now: datetime) -> int:
    return refunds.give_back(payment.id, Decimal(amount), RefundSource.OPERATOR, "по просьбе", now)


def called(refund_id: int, now: datetime) -> None:
    """Its call is on its way, as after a claim."""
    with transaction() as session:
        session.execute(update(Refund).where(Refund.id == refund_id).values(called_at=now))


def says(
    payment: Payment,
    amount: str,
    now: datetime,
    theirs: str | None = None,
    outcome: Outcome = Outcome.SUCCEEDED,
    own: int | None = None,
    **more: Any,
) -> Came:
    """Let the gateway speak of a refund."""
    snapshot = RefundSnapshot(
        theirs or str(next(numbers)), payment.gateway_payment_id or "", outcome, Decimal(amount), "RUB"
    )
    for name, value in more.items():
        object.__setattr__(snapshot, name, value)
    with transaction() as session:
        return refund_outcomes.write_down(session, locked(payment), snapshot, now, own=own)


def rows(payment: Payment) -> list[tuple[str, str, str]]:
    """The refunds of a payment in their order: sum, status, who wanted it."""
    found = db.session.scalars(
        select(Refund)
        .where(Refund.payment_id == payment.id)
        .order_by(Refund.id)
        .execution_options(populate_existing=True)
    )
    return [(str(row.amount), row.status.value, row.source.value) for row in found]


def cases() -> list[CaseKind]:
    return list(db.session.scalars(select(Case.kind).order_by(Case.id)))


def kinds(payment: Payment) -> list[str]:
    """What the customer was told in the portal, oldest first."""
    found = select(Notification.kind).where(
        Notification.user_id == payment.user_id, Notification.channel == "portal"
    )
    return [kind for kind in db.session.scalars(found.order_by(Notification.id)) if "refund" in kind]


def has_period(payment: Payment) -> bool:
    found = select(PurchasedPlan.revoked_at).where(PurchasedPlan.payment_id == payment.id)
    return db.session.scalars(found).one() is None


def test_the_table_of_moves() -> None:
    """What was given up may still prove to have gone through; a chargeback that is won leaves success."""
    allowed = {(old, new) for old in RefundStatus for new in RefundStatus if may_move(old, new)}
    assert allowed == {(one, one) for one in RefundStatus} | {
        (PENDING, SUCCEEDED),
        (PENDING, FAILED),
        (PENDING, UNKNOWN),
        (UNKNOWN, SUCCEEDED),
        (UNKNOWN, FAILED),
        (UNKNOWN, PENDING),
        (FAILED, SUCCEEDED),
        (SUCCEEDED, FAILED),
    }
    assert set(MOVES) == set(RefundStatus)


@pytest.mark.parametrize("amount", ("0.00", "990.01", "-1.00", "0.001", "NaN", "1e9"))
def test_a_sum_that_cannot_go_back(paid: Payment, now: datetime, amount: str) -> None:
    """Nothing, more than was paid and what is no sum are refused in a sentence, and nothing is written."""
    with pytest.raises(InvalidRequest) as refused:
        give_back(paid, amount, now)
    assert "Вернуть можно" in refused.value.message or "Сумма возврата" in refused.value.message
    assert rows(paid) == []


def test_all_that_has_not_failed_counts(paid: Payment, now: datetime) -> None:
    """A refund that waits takes its room; one that failed gives it back (law 4)."""
    first = give_back(paid, "600.00", now)
    with pytest.raises(InvalidRequest, match="390"):
        give_back(paid, "390.01", now)
    give_back(paid, "390.00", now)
    with pytest.raises(InvalidRequest, match="больше нечего"):
        give_back(paid, "0.01", now)
    called(first, now)
    says(paid, "600.00", now, outcome=Outcome.FAILED, own=first)
    give_back(paid, "600.00", now)
    assert [(amount, status) for amount, status, _ in rows(paid)] == [
        ("600.00", "failed"),
        ("390.00", "pending"),
        ("600.00", "pending"),
    ]
    assert laws.violations(now) == []


def test_only_captured_money_goes_back(now: datetime) -> None:
    """An order that is not paid has nothing to give back; one that does not exist is not there."""
    open_order = a_payment(a_customer(now), now)
    with pytest.raises(InvalidRequest, match="больше нечего"):
        give_back(open_order, "1.00", now)
    with pytest.raises(NotFound):
        refunds.give_back(10**9, Decimal("1.00"), RefundSource.OPERATOR, "", now)


def test_an_order_waits_for_its_worker(paid: Payment, now: datetime) -> None:
    """A fresh order is due at once, and its worker is told after the commit."""
    refund_id = give_back(paid, "1.00", now)
    assert sending_back.waiting(now) == [refund_id]
    assert sending_back.waiting(now - timedelta(seconds=1)) == []


# What the gateway says


def test_our_own_answer(paid: Payment, now: datetime) -> None:
    """The answer to our call is booked on our row; a part leaves the plan."""
    refund_id = give_back(paid, "340.50", now)
    called(refund_id, now)
    assert says(paid, "340.50", now, own=refund_id) is Came.MOVED
    assert rows(paid) == [("340.50", "succeeded", "operator")]
    assert (str(again(paid).refunded_amount), has_period(paid)) == ("340.50", True)
    assert kinds(paid) == ["refunded"]


def test_the_whole_sum_ends_the_plan(paid: Payment, now: datetime) -> None:
    """With the last kopeck the period is revoked, in as many parts as it went."""
    for part in ("340.50", "649.50"):
        refund_id = give_back(paid, part, now)
        called(refund_id, now)
        says(paid, part, now, own=refund_id)
    assert (str(again(paid).refunded_amount), has_period(paid)) == ("990.00", False)
    assert laws.violations(now) == []


@pytest.mark.parametrize("status", (PENDING, UNKNOWN))
def test_news_is_taken_for_the_one_that_waits(paid: Payment, now: datetime, status: RefundStatus) -> None:
    """A notification that overtakes our answer, or replaces it, is booked on our row; the answer that comes
    later changes nothing.
    """
    refund_id = give_back(paid, "340.50", now)
    called(refund_id, now)
    with transaction() as session:
        session.execute(update(Refund).values(status=status))
    assert says(paid, "340.50", now, "r1") is Came.MOVED
    assert says(paid, "340.50", now, "r1", own=refund_id) is Came.NOTHING_NEW
    assert says(paid, "340.50", now, "r1") is Came.NOTHING_NEW
    assert says(paid, "340.50", now, "r1", Outcome.PENDING, own=refund_id) is Came.NOTHING_NEW
    assert rows(paid) == [("340.50", "succeeded", "operator")]
    assert kinds(paid) == ["refunded"]


def test_a_refund_that_was_not_called_is_not_heard_of(paid: Payment, now: datetime) -> None:
    """While our call has not begun, a refund of the same sum is the cabinet's; both stand side by side."""
    give_back(paid, "340.50", now)
    says(paid, "340.50", now)
    assert rows(paid) == [("340.50", "pending", "operator"), ("340.50", "succeeded", "gateway")]
    assert laws.violations(now) == []


def test_the_cabinets_refund_and_ours_of_one_sum(paid: Payment, now: datetime) -> None:
    """When both went through and the cabinet's was taken for ours, our own answer gets a row of its own."""
    refund_id = give_back(paid, "340.50", now)
    called(refund_id, now)
    says(paid, "340.50", now, "theirs")
    assert says(paid, "340.50", now, "ours", own=refund_id) is Came.MOVED
    assert [(amount, status) for amount, status, _ in rows(paid)] == [("340.50", "succeeded")] * 2
    assert str(again(paid).refunded_amount) == "681.00"
    assert laws.violations(now) == []


def test_two_of_one_sum_keep_apart(paid: Payment, now: datetime) -> None:
    """Two refunds of one sum, and each other's news: two rows, two ids, no third."""
    first, second = give_back(paid, "340.50", now), give_back(paid, "340.50", now)
    for refund_id in (first, second):
        called(refund_id, now)
    says(paid, "340.50", now, "of the second")
    assert says(paid, "340.50", now, "of the second", own=second) is Came.NOTHING_NEW
    says(paid, "340.50", now, "of the first", own=first)
    assert [(amount, status) for amount, status, _ in rows(paid)] == [("340.50", "succeeded")] * 2


def test_what_waits_makes_room(paid: Payment, now: datetime) -> None:
    """A refund of the cabinet that leaves no room ends the one that waits, and that is shown: the gateway
    would refuse it.
    """
    give_back(paid, "600.00", now)
    give_back(paid, "300.00", now)
    says(paid, "500.00", now)
    assert rows(paid) == [
        ("600.00", "failed", "operator"),
        ("300.00", "pending", "operator"),
        ("500.00", "succeeded", "gateway"),
    ]
    assert cases() == [CaseKind.REFUND_FAILED]
    assert laws.violations(now) == []


def test_where_all_went_back_nobody_misses_the_rest(paid: Payment, now: datetime) -> None:
    """The operator in the cabinet was quicker than the customer's cancel: one refund, no case, no alarm."""
    give_back(paid, "990.00", now)
    says(paid, "990.00", now)
    assert rows(paid) == [("990.00", "failed", "operator"), ("990.00", "succeeded", "gateway")]
    assert (cases(), kinds(paid)) == ([], ["refunded"])
    assert refunds.going_back([paid.id]) == {}
    assert laws.violations(now) == []


def test_a_failure_is_shown(paid: Payment, now: datetime) -> None:
    """A refund that failed is a case with its sum, a word to the customer, and can be ordered again."""
    refund_id = give_back(paid, "340.50", now)
    called(refund_id, now)
    assert says(paid, "340.50", now, "r1", Outcome.FAILED, refund_id, failure_code="no_money") is Came.MOVED
    assert says(paid, "340.50", now, "r1", Outcome.FAILED, refund_id) is Came.NOTHING_NEW
    case = db.session.scalars(select(Case)).one()
    assert (case.kind, str(case.amount), case.payment_id) == (CaseKind.REFUND_FAILED, "340.50", paid.id)
    assert (case.facts["code"], kinds(paid)) == ("no_money", ["refund_failed"])
    assert str(refunds.going_back([paid.id])[paid.id].failed) == "340.50"
    give_back(paid, "340.50", now)
    shown = refunds.going_back([paid.id])[paid.id]
    assert (str(shown.failed), str(shown.under_way)) == ("0.00", "340.50")


def test_a_late_truth(paid: Payment, now: datetime) -> None:
    """What was given up and went through after all is booked on the same row."""
    refund_id = give_back(paid, "340.50", now)
    called(refund_id, now)
    says(paid, "340.50", now, "r1", Outcome.FAILED, refund_id)
    assert says(paid, "340.50", now, "r1") is Came.MOVED
    assert rows(paid) == [("340.50", "succeeded", "operator")]
    assert str(again(paid).refunded_amount) == "340.50"


@pytest.mark.parametrize(
    ("amount", "more"),
    (("990.01", {}), ("0.00", {}), ("1.00", {"currency": "USD"})),
)
def test_more_than_was_captured_is_a_case(
    paid: Payment, now: datetime, amount: str, more: dict[str, str]
) -> None:
    """A gateway that says it returned more, nothing, or other money is not believed; a person looks."""
    for _ in range(2):
        assert says(paid, amount, now, "strange", **more) is Came.CASE
    assert (rows(paid), cases()) == ([], [CaseKind.REFUND_ABOVE_CAPTURE])
    assert str(again(paid).refunded_amount) == "0.00"


def test_our_refund_in_another_sum_is_a_case(paid: Payment, now: datetime) -> None:
    """An answer to our call about another sum ends our row and is shown, once."""
    refund_id = give_back(paid, "340.50", now)
    called(refund_id, now)
    for _ in range(2):
        assert says(paid, "340.51", now, "r1", own=refund_id) is Came.CASE
    assert (rows(paid), cases()) == ([("340.50", "failed", "operator")], [CaseKind.REFUND_ABOVE_CAPTURE])
    assert laws.violations(now) == []


def test_what_is_under_way_is_asked_about_on_a_growing_schedule(paid: Payment, now: datetime) -> None:
    """What is taken on keeps the gateway's id and its next look; a stranger's refund under way is nothing."""
    assert says(paid, "1.00", now, outcome=Outcome.PENDING) is Came.NOTHING_NEW
    assert says(paid, "1.00", now, outcome=Outcome.FAILED) is Came.NOTHING_NEW
    assert rows(paid) == []
    refund_id = give_back(paid, "340.50", now)
    called(refund_id, now)
    waits = []
    for checks in range(1, 12):
        with transaction() as session:
            session.execute(update(Refund).values(checks=checks))
        says(paid, "340.50", now, "r1", Outcome.PENDING, refund_id)
        row = db.session.get_one(Refund, refund_id, populate_existing=True)
        assert row.next_check_at is not None
        waits.append((row.next_check_at - now) / timedelta(minutes=1))
    assert (waits[0], waits[-1]) == (1, 720)
    assert waits == sorted(waits)


def test_money_that_bought_no_plan_goes_back_quietly(now: datetime) -> None:
    """A small sum that saved a card goes back whole from inside settlement, with no word about a plan."""
    user = a_customer(now)
    payment = a_payment(
        user, now, amount=Decimal("1.00"), purpose=PaymentPurpose.BINDING, plan_title="", description="Карта"
    )
    settled(payment, told(payment, user, Outcome.SUCCEEDED, "9"), now)
    (refund_id,) = db.session.scalars(select(Refund.id)).all()
    called(refund_id, now)
    payment = again(payment)
    says(payment, "1.00", now, own=refund_id)
    assert rows(payment) == [("1.00", "succeeded", "customer")]
    assert kinds(payment) == []
    assert laws.violations(now) == []


def test_a_refund_at_the_other_gateway_is_another(paid: Payment, now: datetime) -> None:
    """The two gateways count for themselves: one id at both is two refunds."""
    other = a_paid_plan(now, gateway=YOOKASSA)
    says(paid, "1.00", now, "same")
    assert says(other, "1.00", now, "same") is Came.MOVED
    assert [row[0] for row in (*rows(paid), *rows(other))] == ["1.00", "1.00"]
