from __future__ import annotations

from datetime import timedelta

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import text

from portal import clock
from portal.database import db
from portal.gateways.base import Outcome
from portal.models import GatewayName, Notification, Payment, PaymentStatus, Plan
from tests.billing.rows import a_customer, a_payment, again, in_status, settled, told
from tests.desk import LiveSandbox

TODAY = f"{clock.now():%Y-%m-%d}"


def flask(app: Flask, *words: str) -> Result:
    """``flask --app wsgi`` with these words."""
    return app.test_cli_runner().invoke(args=words)


def paid(app: Flask) -> Payment:
    """A customer's paid plan."""
    user = a_customer(clock.now())
    payment = a_payment(user, clock.now())
    settled(payment, told(payment, user, Outcome.SUCCEEDED, "1"), clock.now())
    return payment


def test_create_extended_plans(context: Flask) -> None:
    """The first run creates five; the next ones touch nothing, not even a price that an operator changed."""
    with db.engine.begin() as connection:
        connection.execute(text("DELETE FROM plans"))
    said = [flask(context, "create-extended-plans").output for _ in range(2)]
    assert said == ["Plans created: 5, set back: 0.\n", "Plans created: 0, set back: 0.\n"]
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE plans SET price = 1000, on_sale = false WHERE code = 'PRO_MONTHLY'"))

    assert flask(context, "create-extended-plans").exit_code == 0

    plan = db.session.query(Plan).filter_by(code="PRO_MONTHLY").populate_existing().one()
    assert (str(plan.get_final_price()), plan.on_sale) == ("1000.00", False)


def test_create_extended_plans_by_force(context: Flask) -> None:
    """With --force the five get their standard terms back; other plans, and what was bought, stay."""
    payment = paid(context)
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE plans SET price = 1000, on_sale = false WHERE code = 'PRO_MONTHLY'"))
        connection.execute(
            text(
                "INSERT INTO plans (code, title, description, price, discount, currency, period_days,"
                " email_quota, on_sale, position, created_at, updated_at)"
                " VALUES ('OWN', 'Own', '', 5, 0, 'RUB', 1, 1, true, 9, now(), now())"
            )
        )
    said = [flask(context, "create-extended-plans", "--force").output for _ in range(2)]
    assert said == ["Plans created: 0, set back: 5.\n"] * 2
    plans = {plan.code: plan for plan in db.session.query(Plan).populate_existing()}
    assert (str(plans["PRO_MONTHLY"].price), plans["PRO_MONTHLY"].on_sale) == ("990.00", True)
    assert str(plans["OWN"].price) == "5.00"
    assert str(again(payment).amount) == "990.00"


@pytest.mark.parametrize(
    ("code", "price", "days", "quota"),
    (
        ("START_MONTHLY", "390.00", 30, 5_000),
        ("PRO_MONTHLY", "990.00", 30, 50_000),
        ("BUSINESS_MONTHLY", "2990.00", 30, 250_000),
        ("PRO_YEARLY", "9900.00", 365, 600_000),
        ("BUSINESS_YEARLY", "29900.00", 365, 3_000_000),
    ),
)
def test_the_standard_plans(context: Flask, code: str, price: str, days: int, quota: int) -> None:
    """The five tariffs of the contract, with what is charged for them."""
    plan = db.session.query(Plan).filter_by(code=code).one()
    assert (str(plan.get_final_price()), plan.period_days, plan.email_quota) == (price, days, quota)
    assert (plan.currency, plan.on_sale) == ("RUB", True)


def test_check_invariants_in_order(context: Flask) -> None:
    """With nothing broken the command says so and ends with 0, also the second time."""
    paid(context)
    for _ in range(2):
        result = flask(context, "check-invariants")
        assert result.exit_code == 0
        assert result.output.endswith(" 0 violations.\n")


def test_check_invariants_with_a_broken_law(context: Flask) -> None:
    """A broken law ends the command with 1, its name, its promise and the row."""
    payment = paid(context)
    with db.engine.begin() as connection:
        connection.execute(text("DELETE FROM purchased_plans"))
    for _ in range(2):
        result = flask(context, "check-invariants")
        assert result.exit_code == 1
        assert "captured-without-period: Every captured payment" in result.output
        assert payment.transaction_id in result.output


def test_expire(context: Flask) -> None:
    """A plan whose time is over is called expired by the first run and not by the second."""
    paid(context)
    assert flask(context, "expire").output == "Subscriptions expired: 0.\n"
    clock.set_to(clock.now() + timedelta(days=30))
    said = [flask(context, "expire").output for _ in range(2)]
    assert said == ["Subscriptions expired: 1.\n", "Subscriptions expired: 0.\n"]


def test_send_notices(context: Flask, sandbox: LiveSandbox) -> None:
    """Each letter is sent by one run and never again; the mailbox has it once."""
    paid(context)
    said = [flask(context, "send-notices").output for _ in range(2)]
    assert said == ["Letters sent: 1.\n", "Letters sent: 0.\n"]
    assert len(sandbox.world.store.all("letter")) == 1


def test_send_notices_goes_on_after_a_broken_letter(context: Flask, sandbox: LiveSandbox) -> None:
    """A letter that cannot be written does not keep the others back."""
    with db.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO notifications (user_id, kind, channel, dedupe_key, facts, created_at, attempts,"
                " next_attempt_at) VALUES (:user, 'no_such_letter', 'email', 'x', '{}', :now, 0, :now)"
            ),
            {"user": a_customer(clock.now()).id, "now": clock.now() - timedelta(minutes=1)},
        )
    paid(context)
    result = flask(context, "send-notices")
    assert (result.exit_code, result.output) == (0, "Letters sent: 1.\n")
    unsent = db.session.query(Notification).filter_by(sent_at=None).populate_existing().all()
    assert [letter.kind for letter in unsent] == ["no_such_letter"]


def test_reconcile(context: Flask, sandbox: LiveSandbox) -> None:
    """Open payments are asked about; what the gateways never saw stays open while it may still come."""
    user = a_customer(clock.now())
    waits = a_payment(user, clock.now())
    for _ in range(2):
        result = flask(context, "reconcile")
        assert result.exit_code == 0, result.output
        assert result.output.startswith("Asked about 1 payments (0 without an answer)")
    assert again(waits).status is PaymentStatus.PENDING


def test_reconcile_with_a_gateway_away(context: Flask, sandbox: LiveSandbox) -> None:
    """Payments that a gateway does not answer for are counted and stay open."""
    user = a_customer(clock.now())
    unknown = in_status(user, clock.now(), PaymentStatus.UNKNOWN, gateway=GatewayName.YOOKASSA, theirs=None)
    sandbox.control("faults", gateway="yookassa", operation="*", fault="http_500", times=50)
    result = flask(context, "reconcile")
    assert "Asked about 1 payments (1 without an answer)" in result.output
    assert again(unknown).status is PaymentStatus.UNKNOWN


@pytest.mark.parametrize("since", ("7d", "12h", TODAY, f"{TODAY}T00:00:00+03:00"))
def test_reconcile_since(context: Flask, sandbox: LiveSandbox, since: str) -> None:
    """A date, a moment or a number of days or hours says from where the gateways' lists are compared."""
    result = flask(context, "reconcile", "--since", since)
    assert (result.exit_code, "listed 0, moved 0, cases 0" in result.output) == (0, True), result.output


@pytest.mark.parametrize("since", ("yesterday", "7", "2026-13-01", ""))
def test_reconcile_since_nonsense(context: Flask, since: str) -> None:
    """What is no moment is told in one line, and nothing is asked."""
    result = flask(context, "reconcile", "--since", since)
    assert result.exit_code == (0 if since == "" else 2)
    assert "Traceback" not in result.output


def test_clock_show(context: Flask) -> None:
    """The portal's own, moved time."""
    clock.set_to(clock.now() + timedelta(days=100))
    shown = [flask(context, "clock", "show").output for _ in range(2)]
    assert {line[:10] for line in shown} == {clock.now().date().isoformat()}


def test_clock_advance_and_reset(context: Flask, sandbox: LiveSandbox) -> None:
    """Both clocks go forward together, and back to the system's time."""
    before = clock.now()
    result = flask(context, "clock", "advance", "27d")
    assert result.exit_code == 0, result.output
    assert sandbox.world.clock.now() - before >= timedelta(days=27)
    assert flask(context, "clock", "reset").exit_code == 0
    assert abs(sandbox.world.clock.now() - before) < timedelta(hours=1)


def test_clock_advance_nonsense(context: Flask, sandbox: LiveSandbox) -> None:
    """A step that is none is refused in one sentence."""
    result = flask(context, "clock", "advance", "soon")
    assert result.exit_code == 1
    assert result.output.startswith("Error: The sandbox refused")
