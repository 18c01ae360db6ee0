from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import delete, select, text

from portal.billing import invariants
from portal.billing.invariants import INVARIANTS
from portal.database import db
from portal.gateways.base import Outcome
from portal.models import Notification, Payment, PurchasedPlan, Refund, Subscription, User
from tests import laws
from tests.billing.rows import a_customer, a_payment, settled, told


def run(statement: str, **values: object) -> None:
    """Change the data behind billing's back."""
    with db.engine.begin() as connection:
        connection.execute(text(statement), values)


@contextmanager
def without(index: str | None) -> Iterator[None]:
    """Take a unique index of the database away, and put it back over rows that are gone by then."""
    if index is None:
        yield
        return
    with db.engine.begin() as connection:
        named = text("SELECT pg_get_indexdef(CAST(:name AS regclass))")
        definition = connection.execute(named, {"name": index}).scalar_one()
        connection.exec_driver_sql(f"DROP INDEX {index}")
    try:
        yield
    finally:
        with db.engine.begin() as connection:
            connection.exec_driver_sql(
                "SET LOCAL session_replication_role = replica"
            )  # they point in circles
            for model in (PurchasedPlan, Refund, Notification, Subscription, Payment):
                connection.execute(delete(model))
            connection.exec_driver_sql(definition)


_REFUND = """
    INSERT INTO refunds (payment_id, gateway, key, amount, currency, status, source, reason, created_at,
    checks)
    SELECT id, gateway, '{0}', 600, 'RUB', '{0}', 'operator', '', created_at, 0 FROM payments
    WHERE id = (SELECT min(id) FROM payments)"""

_CONSENT = """
    INSERT INTO consents (user_id, text_version, text, amount, currency, period_days, plan_id, plan_code,
    plan_title, email_quota, address, user_agent, given_at)
    SELECT user_id, '', '', 1, 'RUB', 30, plan_id, '', '', 1, '', '', created_at FROM subscriptions;
    UPDATE subscriptions SET consent_id = (SELECT id FROM consents)"""

_METHOD = """
    INSERT INTO payment_methods (user_id, gateway, token, fingerprint, kind, title, created_at,
    preferred_at)
    SELECT user_id, 'cloudpayments', 'x', 'f', 'bank_card', 'Visa', created_at, created_at FROM subscriptions
    """

_AS_RENEWALS = """
    UPDATE payments SET purpose = 'renewal', attempt = id - (SELECT min(id) FROM payments) + 1,
    subscription_id = (SELECT id FROM subscriptions), period_start = created_at,
    consent_id = (SELECT id FROM consents), payment_method_id = (SELECT id FROM payment_methods)"""
#: Both plans become renewals of one period, by an agreement and a method.
_RENEWALS = f"{_CONSENT};{_METHOD};{_AS_RENEWALS}"
_WITHDRAWN = "UPDATE consents SET withdrawn_at = given_at - interval '11 seconds'"

#: What breaks each invariant, by SQL, in a shop where one customer has paid for two plans.
PLANTED = {
    "captured-without-period": "DELETE FROM purchased_plans",
    "period-without-capture": """
        UPDATE payments SET status = 'failed', paid_at = NULL WHERE status = 'succeeded'""",
    "period-of-other-length": "UPDATE purchased_plans SET ends_at = ends_at + interval '1 second'",
    "periods-overlap": """
        UPDATE purchased_plans SET starts_at = starts_at - interval '1 day',
        ends_at = ends_at - interval '1 day' WHERE id = (SELECT max(id) FROM purchased_plans)""",
    "refunds-differ-from-sum": "UPDATE payments SET refunded_amount = 1 WHERE status = 'succeeded'",
    "refunds-above-capture": f"{_REFUND.format('pending')}; {_REFUND.format('unknown')}",
    "given-back-above-case": """
        INSERT INTO cases (kind, dedupe_key, gateway, gateway_payment_id, amount, currency, facts, opened_at)
        SELECT 'unknown_payment', 'x', gateway, 'stray', 500, 'RUB', '{}', created_at FROM payments LIMIT 1;
        INSERT INTO refunds (case_id, gateway, key, amount, currency, status, source, reason, created_at,
        checks) SELECT id, gateway, 'x', 500.01, 'RUB', 'succeeded', 'operator', '', opened_at, 0
        FROM cases""",
    "state-differs-from-moves": "UPDATE payment_moves SET before = 'failed', after = 'authorized'",
    "refund-forgotten": _REFUND.format("pending"),
    "refunded-but-running": "UPDATE payments SET refunded_amount = amount WHERE status = 'succeeded'",
    "credit-above-value": """
        UPDATE payments SET purpose = 'change', credit = 990.01,
        replaces_payment_id = (SELECT min(id) FROM payments) WHERE id = (SELECT max(id) FROM payments)""",
    "replaced-without-change": """
        UPDATE purchased_plans SET revoked_at = created_at, revoked_because = 'replaced'
        WHERE id = (SELECT min(id) FROM purchased_plans)""",
    "subscription-end-differs": """
        UPDATE subscriptions SET current_period_end = current_period_end + interval '1 second'""",
    "two-live-subscriptions": """
        INSERT INTO subscriptions (user_id, plan_id, status, current_period_start, current_period_end,
        auto_renew, created_at) SELECT user_id, plan_id, 'past_due', current_period_start,
        current_period_end, false, created_at FROM subscriptions""",
    "one-capture-two-orders": "UPDATE payments SET gateway_payment_id = 'the same'",
    "open-and-forgotten": """
        UPDATE payments SET next_check_at = NULL, status = 'unknown', paid_at = NULL,
        gateway_payment_id = NULL WHERE id = (SELECT min(id) FROM payments)""",
    "renewal-without-method": "UPDATE subscriptions SET auto_renew = true",
    "renewal-without-agreement": "UPDATE subscriptions SET auto_renew = true",
    "agreement-left-behind": _CONSENT,
    "two-charges-one-period": _RENEWALS,
    "charge-after-withdrawal": f"{_RENEWALS};{_WITHDRAWN}",
    "live-and-forgotten": "UPDATE subscriptions SET look_at = NULL",
    "usage-differs-from-records": "UPDATE purchased_plans SET emails_used = emails_used + 1",
    "notification-stuck": """
        INSERT INTO webhook_events (gateway, kind, dedupe_key, raw_payload, content_type, address, status,
        verdict, received_at, attempts, next_attempt_at) VALUES ('cloudpayments', 'pay', 'x', '', '', '',
        'received', '', :now - interval '25 hours', 0, :now)""",
}
#: Indexes that would not let the violation in.
GUARDS = {
    "two-live-subscriptions": "uq_subscriptions_live",
    "one-capture-two-orders": "uq_payments_gateway_payment_id",
    "two-charges-one-period": "uq_payments_renewal_paid",
    "charge-after-withdrawal": "uq_payments_renewal_paid",
}


@pytest.fixture
def shop(now: datetime, context: Flask) -> Callable[[], list[str]]:
    """A customer with two paid plans; the names of the laws that the data breaks.

    What the suite asks elsewhere, whether there are any, is answered alike.
    """
    user = a_customer(now)
    for number in ("1", "2"):
        payment = a_payment(user, now)
        settled(payment, told(payment, user, Outcome.SUCCEEDED, number), now)

    def broken() -> list[str]:
        names = [found.invariant.name for found in invariants.violations(now)]
        assert laws.are_broken(now) is bool(names)
        return names

    return broken


def test_each_invariant_is_tried() -> None:
    """No invariant stands without a test that sees it broken."""
    assert set(PLANTED) == {found.name for found in INVARIANTS}


def test_a_shop_in_order_breaks_none(shop: Callable[[], list[str]]) -> None:
    """What billing itself writes is in order."""
    assert shop() == []


@pytest.mark.parametrize("name", PLANTED)
def test_a_broken_law_is_reported(shop: Callable[[], list[str]], now: datetime, name: str) -> None:
    """Rows that break a law, however they came there, are found by that law's own query."""
    with without(GUARDS.get(name)):
        for statement in PLANTED[name].split(";"):
            run(statement, **({"now": now} if ":now" in statement else {}))
        assert name in shop()


def test_a_method_of_somebody_else_renews_nothing(shop: Callable[[], list[str]], now: datetime) -> None:
    """Renewal by another customer's card, or by one that was unlinked, is reported."""
    stranger = a_customer(now)
    run(_METHOD)
    run("UPDATE payment_methods SET user_id = :user", user=stranger.id)
    for statement in _CONSENT.split(";"):
        run(statement)
    run(
        "UPDATE subscriptions SET auto_renew = true, payment_method_id = (SELECT id FROM payment_methods),"
        " charge_due_at = current_period_end, charge_look_at = current_period_end"
    )
    assert shop() == ["renewal-without-method"]
    run("UPDATE payment_methods SET user_id = (SELECT min(user_id) FROM subscriptions)")
    assert shop() == []
    run("UPDATE payment_methods SET token = NULL, detached_at = :now", now=now)
    assert shop() == ["renewal-without-method"]


def test_one_change_takes_a_plans_place(shop: Callable[[], list[str]], now: datetime) -> None:
    """Neither may two changes count for one replaced period, nor one for a period that still counts."""
    user = db.session.scalars(select(User)).one()
    third = a_payment(user, now)
    settled(third, told(third, user, Outcome.SUCCEEDED, "3"), now)
    run(
        "UPDATE payments SET purpose = 'change', replaces_payment_id = (SELECT min(id) FROM payments)"
        " WHERE id > (SELECT min(id) FROM payments)"
    )
    assert "replaced-without-change" in shop()
    run(
        "UPDATE purchased_plans SET revoked_at = now(), revoked_because = 'replaced'"
        " WHERE id = (SELECT min(id) FROM purchased_plans)"
    )
    assert "replaced-without-change" in shop()
    run(
        "UPDATE purchased_plans SET revoked_at = created_at, revoked_because = 'refunded'"
        " WHERE id = (SELECT max(id) FROM purchased_plans)"
    )
    assert "replaced-without-change" not in shop()


def test_a_violation_names_its_row(shop: Callable[[], list[str]], now: datetime) -> None:
    """An operator reads which row it is."""
    run("DELETE FROM purchased_plans WHERE id = (SELECT max(id) FROM purchased_plans)")
    found = [one for one in invariants.violations(now) if one.invariant.name == "captured-without-period"]
    wanted = db.session.execute(text("SELECT transaction_id FROM payments ORDER BY id DESC LIMIT 1"))
    assert [one.row["transaction_id"] for one in found] == [wanted.scalar_one()]


def test_a_notification_may_wait_for_a_day(shop: Callable[[], list[str]], now: datetime) -> None:
    """Waiting is no fault before a day has passed."""
    run(PLANTED["notification-stuck"], now=now + timedelta(hours=2))
    assert shop() == []


def test_a_renewal_that_nobody_plans_is_reported(shop: Callable[[], list[str]], now: datetime) -> None:
    """Renewal that is on needs a charge planned, open or refused; a method refused for good excuses it."""
    for statement in f"{_CONSENT}; {_METHOD}".split(";"):
        run(statement)
    run("UPDATE subscriptions SET auto_renew = true, payment_method_id = (SELECT id FROM payment_methods)")
    assert shop() == ["live-and-forgotten"]
    run("UPDATE payment_methods SET stopped_at = created_at")
    assert shop() == []
    run("UPDATE payment_methods SET stopped_at = NULL")
    run("UPDATE subscriptions SET charge_due_at = current_period_end")
    assert shop() == ["live-and-forgotten"]
    run("UPDATE subscriptions SET charge_look_at = charge_due_at")
    assert shop() == []


def test_a_withdrawal_may_wait_for_a_lock(shop: Callable[[], list[str]], now: datetime) -> None:
    """A withdrawal that waited some seconds for a charge that was written first breaks nothing; money that
    went back in full counts for no period.
    """
    with without("uq_payments_renewal_paid"):
        for statement in _RENEWALS.split(";"):
            run(statement)
        assert "two-charges-one-period" in shop()
        run("UPDATE payments SET refunded_amount = amount WHERE attempt = 1")
        run("UPDATE consents SET withdrawn_at = given_at - interval '9 seconds'")
        assert not {"two-charges-one-period", "charge-after-withdrawal"} & set(shop())
        run("UPDATE payment_methods SET token = NULL, detached_at = created_at - interval '11 seconds'")
        assert "charge-after-withdrawal" in shop()
