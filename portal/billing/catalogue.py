"""The catalogue in the owner's hands: a plan made, changed, ordered, hidden. What was bought keeps its terms:
periods, payments and agreements have them frozen, and no verb here touches those.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.billing import audit
from portal.billing.audit import Actor, Subject
from portal.billing.plans import CODE
from portal.database import db, exclusive, transaction
from portal.errors import InvalidRequest, NotFound
from portal.models import Plan
from portal.money import ZERO, NotAnAmount, money

#: What an owner types for a plan; the code once, when it is made.
FIELDS = ("title", "description", "price", "discount", "period_days", "email_quota", "on_sale")
LONGEST_TITLE = 120
LONGEST_DESCRIPTION = 1000
MOST_DAYS = 3660
MOST_EMAILS = 1_000_000_000
_SPACES = str.maketrans("", "", " \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}")


class WrongTerms(InvalidRequest):
    """Some fields do not fit; *errors* has a sentence for each, and nothing was changed."""

    code = "WRONG_TERMS"

    def __init__(self, errors: Mapping[str, str]) -> None:
        """*errors* by the field's name."""
        super().__init__("Исправьте отмеченное: ничего ещё не сохранено.")
        self.errors = errors


def everything() -> list[Plan]:
    """All plans, those that are hidden too, in the customer's order."""
    return list(db.session.scalars(select(Plan).order_by(Plan.position, Plan.id)))


def of(plan_id: int) -> Plan:
    """One plan. Raises NotFound."""
    found = db.session.get(Plan, plan_id, populate_existing=True)
    if found is None:
        raise NotFound
    return found


def draft(typed: Mapping[str, str], *, code: str | None = None) -> Plan:
    """The plan that was typed, kept nowhere: to be looked at as customers would see it.

    *code* is that of a plan that exists. Raises :class:`WrongTerms`.
    """
    return Plan(code=code or typed.get("code", "").strip(), currency="RUB", **_read(typed, code))


def create(typed: Mapping[str, str], actor: Actor, now: datetime) -> Plan:
    """Put a new plan at the end of the catalogue. Raises :class:`WrongTerms`."""
    with transaction() as session:
        exclusive(session, "plans")
        plan = draft(typed)
        if session.scalar(select(Plan.id).where(Plan.code == plan.code)) is not None:
            raise WrongTerms({"code": "Такой код уже есть у другого тарифа."})
        plan.position = len(everything())
        plan.created_at = plan.updated_at = now
        session.add(plan)
        session.flush()
        audit.note(actor, "plan-created", Subject("plan", plan.id), now, after=_facts(plan))
    return plan


def change(plan_id: int, typed: Mapping[str, str], actor: Actor, now: datetime) -> bool:
    """Sell the plan on other terms from now on; says whether anything changed.

    Raises NotFound and :class:`WrongTerms`.
    """
    with transaction() as session:
        plan = _locked(session, plan_id)
        before = _facts(plan)
        for name, value in _read(typed, plan.code).items():
            setattr(plan, name, value)
        return _note(actor, "plan-changed", plan, before, now)


def show(plan_id: int, on_sale: bool, actor: Actor, now: datetime) -> bool:
    """Sell the plan, or hide it; says whether that is new. Raises NotFound."""
    with transaction() as session:
        plan = _locked(session, plan_id)
        before = _facts(plan)
        plan.on_sale = on_sale
        return _note(actor, "plan-shown" if on_sale else "plan-hidden", plan, before, now)


def move(plan_id: int, step: int, actor: Actor, now: datetime) -> bool:
    """Put the plan one place up (-1) or down (1); says whether it moved. Raises NotFound."""
    with transaction() as session:
        exclusive(session, "plans")
        plan = _locked(session, plan_id)
        order = everything()
        old = order.index(plan)
        new = min(max(old + step, 0), len(order) - 1)
        if new == old:
            return False
        order.insert(new, order.pop(old))
        for position, one in enumerate(order):
            one.position = position
        subject = Subject("plan", plan.id)
        audit.note(actor, "plan-moved", subject, now, before={"place": old + 1}, after={"place": new + 1})
    return True


def _locked(session: Session, plan_id: int) -> Plan:
    plan = session.get(Plan, plan_id, with_for_update=True, populate_existing=True)
    if plan is None:
        raise NotFound
    return plan


def _note(actor: Actor, act: str, plan: Plan, before: Mapping[str, Any], now: datetime) -> bool:
    after = _facts(plan)
    new = {name: value for name, value in after.items() if value != before[name]}
    if new:
        plan.updated_at = now
        old = {name: before[name] for name in new}
        audit.note(actor, act, Subject("plan", plan.id), now, before=old, after=new)
    return bool(new)


def _facts(plan: Plan) -> dict[str, Any]:
    return {name: getattr(plan, name) for name in ("code", *FIELDS)}


def _read(typed: Mapping[str, str], code: str | None) -> dict[str, Any]:
    """The fields with their types; every sentence at once. Raises :class:`WrongTerms`."""
    errors: dict[str, str] = {}
    text = {name: typed.get(name, "").strip() for name in ("code", *FIELDS)}
    if code is None and not CODE.fullmatch(text["code"]):
        errors["code"] = "Только латинские буквы, цифры и знаки _ . -, не больше 64."
    if not 0 < len(text["title"]) <= LONGEST_TITLE or not text["title"].isprintable():
        errors["title"] = f"Нужно название в одну строку, не больше {LONGEST_TITLE} знаков."
    if len(text["description"]) > LONGEST_DESCRIPTION or "\x00" in text["description"]:
        errors["description"] = f"Не больше {LONGEST_DESCRIPTION} знаков."
    price = _amount("price", text["price"], errors)
    discount = _amount("discount", text["discount"] or "0", errors)
    if "price" not in errors and price <= 0:
        errors["price"] = "Цена должна быть больше нуля."
    elif not {"price", "discount"} & errors.keys() and discount >= price:
        errors["discount"] = "Скидка должна быть меньше цены: бесплатно шлюзы не продают."
    days = _number("period_days", text["period_days"], (1, MOST_DAYS), errors)
    emails = _number("email_quota", text["email_quota"], (0, MOST_EMAILS), errors)
    if errors:
        raise WrongTerms(errors)
    return {
        "title": text["title"],
        "description": text["description"],
        "price": price,
        "discount": discount,
        "period_days": days,
        "email_quota": emails,
        "on_sale": bool(text["on_sale"]),
    }


def _amount(name: str, text: str, errors: dict[str, str]) -> Decimal:
    try:
        return money(text.translate(_SPACES).replace(",", "."))
    except NotAnAmount:
        errors[name] = "Нужна сумма в рублях, например 990 или 990,50."
        return ZERO


def _number(name: str, text: str, bounds: tuple[int, int], errors: dict[str, str]) -> int:
    least, most = bounds
    text = text.translate(_SPACES)
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and least <= int(text) <= most):
        errors[name] = f"Нужно целое число от {least} до {most}."
        return least
    return int(text)
