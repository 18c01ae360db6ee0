"""The catalogue in the desk: plans made, looked at, ordered, hidden; what was bought stays as it was."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import select

from portal.billing import audit, catalogue, consents, plans
from portal.billing.audit import Subject
from portal.clock import now
from portal.database import db
from portal.models import Consent, Payment, Plan, PurchasedPlan
from tests.billing.subscribers import a_subscriber
from tests.desk import Browser, Desk

PLANS = "/admin/plans/"
TERMS = {"title": "Проба", "description": "На неделю", "price": "1 000,50", "discount": "0,50"}
TERMS |= {"period_days": "7", "email_quota": "1 000", "on_sale": "y"}


def codes(desk: Desk) -> list[str]:
    with desk.app.app_context():
        return [plan.code for plan in catalogue.everything()]


def plan_of(desk: Desk, code: str = "PRO_MONTHLY") -> Plan:
    with desk.app.app_context():
        return db.session.scalars(select(Plan).where(Plan.code == code)).one()


def test_a_plan_is_looked_at_and_then_made(desk: Desk, owner: Browser) -> None:
    """The preview is the customer's own card and keeps nothing; the plan stands last, in the audit too."""
    seen = owner.send(PLANS + "new/", code="TRIAL", preview="1", **TERMS)
    assert "Так тариф увидит клиент" in seen.text
    assert "1\u00a0000\u00a0₽" in seen.text
    assert "TRIAL" not in codes(desk)

    made = owner.send(PLANS + "new/", code="TRIAL", **TERMS)

    assert "Сохранено." in made.text
    assert codes(desk)[-1] == "TRIAL"
    plan = plan_of(desk, "TRIAL")
    assert (plan.price, plan.discount, plan.email_quota) == (Decimal("1000.50"), Decimal("0.50"), 1000)
    shown = desk.browser().get("/plans").text
    assert seen.text.partition('class="offer__head"')[2][:400] in shown
    with desk.app.app_context():
        (entry,) = audit.of(Subject("plan", plan.id))
        assert (entry.act, entry.before, entry.after["price"]) == ("plan-created", {}, "1000.50")


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    (
        ("code", "ПРОБА", "Только латинские буквы"),
        ("code", "PRO_MONTHLY", "уже есть у другого тарифа"),
        ("title", "  ", "Нужно название"),
        ("price", "0", "больше нуля"),
        ("price", "-5", "Нужна сумма"),
        ("price", "1.001", "Нужна сумма"),
        ("discount", "1000,50", "Скидка должна быть меньше цены"),
        ("period_days", "0", "целое число от 1"),
        ("period_days", "7.5", "целое число от 1"),
        ("email_quota", "", "целое число от 0"),
        ("email_quota", "9" * 30, "целое число от 0"),
    ),
)
def test_what_cannot_be_sold_is_refused_with_a_sentence(
    desk: Desk, owner: Browser, name: str, text: str, sentence: str
) -> None:
    """The form keeps what was typed, and no plan is made."""
    refused = owner.send(PLANS + "new/", **{"code": "TRIAL", **TERMS, name: text})

    assert refused.status_code == 400
    assert sentence in refused.text
    assert "На неделю" in refused.text
    assert len(codes(desk)) == 5


def test_a_change_has_before_and_after(desk: Desk, owner: Browser) -> None:
    """Only what is new is told; the code cannot be changed; the price is that of the next order."""
    plan = plan_of(desk)
    form = {**TERMS, "title": plan.title, "description": plan.description, "period_days": "30"}
    form |= {"price": "1190", "discount": "0", "email_quota": "50000"}

    owner.send(f"{PLANS}edit/?id={plan.id}", code="OTHER", **form)

    with desk.app.app_context():
        assert plans.on_sale_by_code("PRO_MONTHLY").get_final_price() == Decimal("1190.00")
        (entry,) = audit.of(Subject("plan", plan.id))
        assert (entry.before, entry.after) == ({"price": "990.00"}, {"price": "1190.00"})
    ira = desk.customer()
    assert ira.order("cloudpayments")["amount"] == "1190.00"


def test_what_was_bought_stays_as_it_was(desk: Desk, owner: Browser) -> None:
    """A payment, its period and the standing agreement keep price, term and e-mails; so does the renewal."""
    with desk.app.app_context():
        subscriber = a_subscriber(now())
        before = [_frozen(kind) for kind in (Payment, PurchasedPlan, Consent)]
    plan = plan_of(desk)

    form = {**TERMS, "price": "5000", "discount": "10", "period_days": "3", "email_quota": "1"}
    owner.send(f"{PLANS}edit/?id={plan.id}", **form)
    owner.send(PLANS + "show/", id=str(plan.id), on_sale="0")

    assert plan_of(desk).price == Decimal("5000.00")
    with desk.app.app_context():
        assert [_frozen(kind) for kind in (Payment, PurchasedPlan, Consent)] == before
        consent = db.session.get_one(Consent, subscriber.subscription.consent_id)
        agreed = consents.plan_agreed_to(consent)
        assert (consent.amount, agreed.period_days, agreed.email_quota) == (Decimal("990.00"), 30, 50_000)


def _frozen(kind: type[Payment | PurchasedPlan | Consent]) -> list[tuple[object, ...]]:
    return [tuple(row) for row in db.session.execute(select(kind.__table__)).all()]


def test_plans_are_put_in_order_and_hidden(desk: Desk, owner: Browser) -> None:
    """One place at a time, not beyond the ends; a hidden plan is not sold and can be shown again."""
    first, second, *_rest, last = codes(desk)
    owner.send(PLANS + "move/", id=str(plan_of(desk, first).id), way="down")
    owner.send(PLANS + "move/", id=str(plan_of(desk, last).id), way="down")
    assert codes(desk)[:2] == [second, first]
    owner.send(PLANS + "move/", id=str(plan_of(desk, first).id), way="up")
    assert codes(desk)[:2] == [first, second]

    owner.send(PLANS + "show/", id=str(plan_of(desk, first).id), on_sale="0")
    assert f"/checkout/{first}" not in desk.browser().get("/plans").text
    assert desk.customer().get(f"/checkout/{first}").status_code == 404
    owner.send(PLANS + "show/", id=str(plan_of(desk, first).id), on_sale="1")
    assert f"/checkout/{first}" in desk.browser().get("/plans").text
    for odd in ("0", "x", "", "9" * 30, "999999"):
        assert owner.send(PLANS + "move/", id=odd, way="up").status_code == 404
