from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, update

from portal.billing import moves, settlement
from portal.billing.settlement import Settlement, Verdict
from portal.billing_mode import BillingMode
from portal.database import db, transaction
from portal.gateways.base import Outcome, SavedMethod
from portal.models import (
    Case,
    Consent,
    GatewayName,
    Notification,
    Payment,
    PaymentMethod,
    PaymentPurpose,
    PaymentStatus,
    PurchasedPlan,
    Subscription,
    User,
)
from tests import laws
from tests.billing.rows import CLOUDPAYMENTS, YOOKASSA, a_customer, a_payment, again, in_status, settled, told

P, A, S, F, U = (
    PaymentStatus.PENDING,
    PaymentStatus.AUTHORIZED,
    PaymentStatus.SUCCEEDED,
    PaymentStatus.FAILED,
    PaymentStatus.UNKNOWN,
)
MOVED, NEW, IGNORED, CASE = Verdict.MOVED, Verdict.NOTHING_NEW, Verdict.IGNORED, Verdict.CASE

#: status, outcome -> (verdict, status after) where the gateway speaks of the attempt that the payment is
#: bound to; and where it speaks of another one.
TABLE = {
    (P, Outcome.PENDING): ((NEW, P), (NEW, P)),
    (P, Outcome.AUTHORIZED): ((MOVED, A), (MOVED, A)),
    (P, Outcome.SUCCEEDED): ((MOVED, S), (MOVED, S)),
    (P, Outcome.FAILED): ((MOVED, F), (MOVED, F)),
    (A, Outcome.PENDING): ((NEW, A), (NEW, A)),
    (A, Outcome.AUTHORIZED): ((NEW, A), (CASE, A)),
    (A, Outcome.SUCCEEDED): ((MOVED, S), (MOVED, S)),
    (A, Outcome.FAILED): ((MOVED, F), (IGNORED, A)),
    (S, Outcome.PENDING): ((NEW, S), (NEW, S)),
    (S, Outcome.AUTHORIZED): ((NEW, S), (CASE, S)),
    (S, Outcome.SUCCEEDED): ((NEW, S), (CASE, S)),
    (S, Outcome.FAILED): ((IGNORED, S), (IGNORED, S)),
    (F, Outcome.PENDING): ((NEW, F), (NEW, F)),
    (F, Outcome.AUTHORIZED): ((MOVED, A), (MOVED, A)),
    (F, Outcome.SUCCEEDED): ((MOVED, S), (MOVED, S)),
    (F, Outcome.FAILED): ((IGNORED, F), (IGNORED, F)),
    (U, Outcome.PENDING): ((MOVED, P), (MOVED, P)),
    (U, Outcome.AUTHORIZED): ((MOVED, A), (MOVED, A)),
    (U, Outcome.SUCCEEDED): ((MOVED, S), (MOVED, S)),
    (U, Outcome.FAILED): ((MOVED, F), (MOVED, F)),
}


@pytest.mark.parametrize("gateway", GatewayName)
@pytest.mark.parametrize("status", PaymentStatus)
def test_every_outcome_in_every_status(now: datetime, status: PaymentStatus, gateway: GatewayName) -> None:
    """What a gateway says moves a payment by the table and not otherwise, and only once."""
    for number, outcome in enumerate(Outcome):
        for other, expected in enumerate(TABLE[status, outcome]):
            user = a_customer(now)
            bound, speaks_of = f"{status}-{number}-{other}", f"{status}-{number}-{other}"
            speaks_of += "-other" if other else ""
            payment = in_status(user, now, status, gateway=gateway, theirs=bound)
            what = told(payment, user, outcome, speaks_of)

            first = settled(payment, what, now)
            assert (first.verdict, again(payment).status) == expected, (outcome, speaks_of)
            assert first.payment_id == payment.id
            again_told = settled(payment, what, now)

            assert again_told.verdict is not MOVED
            assert again(payment).status is expected[1]
            periods = db.session.query(PurchasedPlan).filter_by(payment_id=payment.id).count()
            assert periods == (1 if first.verdict is MOVED and expected[1] is S else 0)
            cases = db.session.query(Case).filter_by(payment_id=payment.id).count()
            assert cases == (1 if first.verdict is CASE else 0)


MISMATCHES: dict[str, dict[str, Any]] = {
    "currency_mismatch": {"currency": "KZT"},
    "amount_mismatch": {"amount": Decimal("989.99")},
    "account_mismatch": {"account": "somebody"},
    "shop_mismatch": {"shop": "another"},
    "test_mode_mismatch": {"test": False},
}


@pytest.mark.parametrize("status", (P, F, U))
@pytest.mark.parametrize("outcome", (Outcome.AUTHORIZED, Outcome.SUCCEEDED))
@pytest.mark.parametrize("gateway", GatewayName)
def test_money_that_does_not_fit_moves_nothing(
    now: datetime, gateway: GatewayName, outcome: Outcome, status: PaymentStatus
) -> None:
    """In no status does a capture or hold of another sum, currency, account, shop or mode move a payment."""
    for case, changes in MISMATCHES.items():
        user = a_customer(now)
        payment = in_status(user, now, status, gateway=gateway, theirs=None)
        what = told(payment, user, outcome, f"{case}-{payment.id}", **changes)

        assert settled(payment, what, now) == Settlement(CASE, case, payment.id)
        settled(payment, what, now)

        assert again(payment).status is status
        assert [str(found.kind) for found in db.session.query(Case).filter_by(payment_id=payment.id)] == [
            case
        ]


def test_an_unsaid_test_mode_is_no_test_mode(now: datetime) -> None:
    """A gateway that does not say whether the money is play money is not believed."""
    user = a_customer(now)
    payment = a_payment(user, now)
    assert settled(payment, told(payment, user, Outcome.SUCCEEDED, "1", test=None), now).verdict is CASE


def test_a_live_success_of_a_test_order(now: datetime) -> None:
    """Nor does real money pay for a play order, or play money for a real one (law 5)."""
    user = a_customer(now)
    real = a_payment(user, now, test_mode=False, superseded_at=now)
    play = a_payment(user, now, test_mode=True)
    assert settled(real, told(real, user, Outcome.SUCCEEDED, "1", test=True), now).verdict is CASE
    assert settled(play, told(play, user, Outcome.SUCCEEDED, "2", test=False), now).verdict is CASE
    assert settled(real, told(real, user, Outcome.SUCCEEDED, "3"), now).verdict is MOVED


def test_one_capture_pays_for_one_order(now: datetime) -> None:
    """A capture that paid one order is a case when it is told about another one."""
    user = a_customer(now)
    first, second = a_payment(user, now, superseded_at=now), a_payment(user, now)
    settled(first, told(first, user, Outcome.SUCCEEDED, "1"), now)
    for outcome in (Outcome.AUTHORIZED, Outcome.SUCCEEDED):
        found = settled(second, told(second, user, outcome, "1"), now)
        assert found == Settlement(CASE, "unknown_payment", second.id)
    assert again(second).status is P


def test_the_success_and_its_plan_are_one(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the plan cannot be given the payment has not succeeded either: one commit holds both."""
    user = a_customer(now)
    payment = a_payment(user, now)

    def fails(*_: Any) -> Any:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(settlement.subscriptions, "activate", fails)
        with pytest.raises(ZeroDivisionError):
            settled(payment, told(payment, user, Outcome.SUCCEEDED, "1"), now)
    assert again(payment).status is P
    assert db.session.query(Notification).count() == 0

    settled(payment, told(payment, user, Outcome.SUCCEEDED, "1"), now)
    assert laws.violations(now) == []


def test_what_is_written_with_a_success(now: datetime) -> None:
    """Bound to the gateway's id, paid at this moment, no failure left, nothing more to ask, one word said."""
    user = a_customer(now)
    payment = a_payment(user, now)
    settled(payment, told(payment, user, Outcome.FAILED, "1"), now)
    assert again(payment).failure_code == "5051"
    later = now + timedelta(minutes=1)

    settled(payment, told(payment, user, Outcome.SUCCEEDED, "2", method_title="Visa •• 4242"), later)

    found = again(payment)
    assert (found.gateway_payment_id, found.paid_at, found.method_title) == ("2", later, "Visa •• 4242")
    assert (found.failure_code, found.failed_at, found.next_check_at) == (None, None, None)
    said = {(n.kind, str(n.channel)) for n in db.session.query(Notification).filter_by(user_id=user.id)}
    assert said >= {("payment_succeeded", "portal"), ("payment_succeeded", "email")}


def test_a_second_refusal_tells_the_newer_reason(now: datetime) -> None:
    """After two declined cards the customer reads why the last one was."""
    user = a_customer(now)
    payment = a_payment(user, now)
    settled(payment, told(payment, user, Outcome.FAILED, "1"), now)
    assert settled(payment, told(payment, user, Outcome.FAILED, "2", failure_code="5054"), now).verdict is NEW
    assert again(payment).failure_code == "5054"


@pytest.mark.parametrize(("gateway", "asked_again"), ((CLOUDPAYMENTS, True), (YOOKASSA, False)))
def test_who_may_still_pay_after_a_refusal(now: datetime, gateway: GatewayName, asked_again: bool) -> None:
    """YooKassa's canceled is final; CloudPayments' payer may try another card, so it is asked about again."""
    user = a_customer(now)
    payment = a_payment(user, now, gateway=gateway)
    settled(payment, told(payment, user, Outcome.FAILED, "1"), now)
    assert (again(payment).next_check_at is not None) is asked_again
    assert (again(payment).gateway_payment_id is None) is asked_again


def test_a_live_check_gives_nothing(now: datetime) -> None:
    """The operator's rouble proves the shop's key and activates no plan and no letter."""
    user = a_customer(now)
    payment = a_payment(user, now, gateway=YOOKASSA, purpose=PaymentPurpose.LIVE_CHECK, plan_id=None)
    assert settled(payment, told(payment, user, Outcome.SUCCEEDED, "1"), now).verdict is MOVED
    assert db.session.query(PurchasedPlan).count() == 0
    assert db.session.query(Notification).count() == 0
    assert laws.violations(now) == []


def _agree(payment: Payment, user: User, now: datetime, **changes: Any) -> None:
    row: dict[str, Any] = {
        "user_id": user.id,
        "payment_id": payment.id,
        "text_version": "1",
        "text": "…",
        "amount": payment.amount,
        "currency": "RUB",
        "period_days": 30,
        "address": "",
        "user_agent": "",
        "plan_id": payment.plan_id,
        "plan_code": payment.plan_code,
        "plan_title": payment.plan_title,
        "email_quota": payment.email_quota,
        "given_at": now,
    }
    with transaction() as session:
        session.add(Consent(**(row | changes)))


TOKEN = SavedMethod("tk_canary", "bank_card", "Visa •• 4242", "4242", "Visa", 12, 2030, None)


@pytest.mark.parametrize("gateway", GatewayName)
@pytest.mark.parametrize(
    ("mode", "consent", "kept"),
    (
        (BillingMode.RECURRING, {}, True),
        (BillingMode.RECURRING, None, False),
        (BillingMode.RECURRING, {"withdrawn_at": datetime.fromisoformat("2026-11-22T11:00Z")}, False),
        (BillingMode.ONE_TIME, {}, False),
        (BillingMode.ONE_TIME, None, False),
    ),
)
def test_a_token_is_kept_only_with_consent(
    now: datetime, gateway: GatewayName, mode: BillingMode, consent: dict[str, Any] | None, kept: bool
) -> None:
    """A gateway may send a token with any payment; only a recurring one that was agreed to keeps it."""
    user = a_customer(now)
    payment = a_payment(user, now, gateway=gateway, billing_mode=mode)
    if consent is not None:
        _agree(payment, user, now, **consent)

    settled(payment, told(payment, user, Outcome.SUCCEEDED, "1", saved_method=TOKEN), now)

    methods = db.session.query(PaymentMethod).all()
    assert [method.token for method in methods] == ([b"tk_canary"] if kept else [])
    subscription = db.session.query(Subscription).one()
    assert subscription.auto_renew is kept
    assert laws.violations(now) == []


def test_a_token_of_a_refusal_or_a_hold_is_not_kept(now: datetime) -> None:
    """Only captured money keeps a card."""
    user = a_customer(now)
    payment = a_payment(user, now, billing_mode=BillingMode.RECURRING)
    _agree(payment, user, now)
    for outcome in (Outcome.FAILED, Outcome.AUTHORIZED, Outcome.PENDING):
        settled(payment, told(payment, user, outcome, "1", saved_method=TOKEN), now)
    assert db.session.query(PaymentMethod).count() == 0


def test_the_same_card_twice_is_one_method(now: datetime) -> None:
    """A second consented payment by the same token finds the method that is there."""
    user = a_customer(now)
    for number in ("1", "2"):
        payment = a_payment(user, now, billing_mode=BillingMode.RECURRING)
        _agree(payment, user, now)
        method = replace(TOKEN, title=f"Visa {number}")
        settled(payment, told(payment, user, Outcome.SUCCEEDED, number, saved_method=method), now)
    assert [method.title for method in db.session.query(PaymentMethod)] == ["Visa 2"]


def test_a_move_that_the_table_forbids_is_a_fault_of_ours(now: datetime) -> None:
    """Whoever asks for a move outside the table is stopped, and nothing is written."""
    user = a_customer(now)
    payment = in_status(user, now, S, gateway=CLOUDPAYMENTS, theirs="1")
    with pytest.raises(AssertionError, match="may not move"):
        _force(payment, F)
    assert again(payment).status is S


def test_a_move_without_the_lock_is_a_fault_of_ours(now: datetime) -> None:
    """A row that was read without its lock and changed meanwhile cannot be moved from what it was."""
    user = a_customer(now)
    payment = a_payment(user, now)
    stale = db.session.execute(select(Payment.__table__).where(Payment.id == payment.id)).one()
    with transaction() as session:
        session.execute(update(Payment).where(Payment.id == payment.id).values(status=F, failed_at=now))
    with pytest.raises(AssertionError, match="not locked"), transaction() as session:
        moves.move(session, stale, A, now, gateway_payment_id="1")


def _force(payment: Payment, status: PaymentStatus) -> None:
    with transaction() as session:
        row = settlement.locked(session, payment_id=payment.id)
        assert row is not None
        moves.move(session, row, status, row.created_at)


def test_a_fee_that_is_told_later_is_kept(now: datetime) -> None:
    """The first word about it counts; another one is for the comparison of days, which keeps a note."""
    user = a_customer(now)
    payment = a_payment(user, now)
    fees = []
    for fee in (None, Decimal("38.61"), None, Decimal("1.00")):
        settled(payment, told(payment, user, Outcome.SUCCEEDED, "fee-1", fee=fee), now)
        fees.append(again(payment).fee)
    assert fees == [None, *[Decimal("38.61")] * 3]
