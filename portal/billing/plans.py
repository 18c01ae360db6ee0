"""The tariffs on sale, and the five that a new shop begins with."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from portal.database import db, exclusive, transaction
from portal.errors import NotFound
from portal.models import Plan
from portal.wording import marked

#: What a plan's code is made of; it stands in addresses and in the gateways' registries.
CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")


class PlanNotFound(NotFound):
    """No plan on sale has this code."""

    code = "PLAN_NOT_FOUND"
    message = marked("Такого тарифа нет в продаже.")


def on_sale() -> list[Plan]:
    """The plans a customer may choose, in the operator's order."""
    return list(db.session.scalars(select(Plan).where(Plan.on_sale).order_by(Plan.position, Plan.id)))


def is_on_sale(code: str) -> bool:
    """Whether a customer may choose the plan with this code."""
    return any(plan.code == code for plan in on_sale())


def on_sale_by_code(code: str) -> Plan:
    """One plan on sale. Raises PlanNotFound."""
    plan = db.session.scalar(select(Plan).where(Plan.code == code, Plan.on_sale)) if _is_code(code) else None
    if plan is None:
        raise PlanNotFound
    return plan


def create_extended(now: datetime, *, force: bool = False) -> tuple[int, int]:
    """Create the five standard plans; with *force* also set the existing ones back to their standard terms.

    Returns how many were created and how many set back. What was bought before keeps its terms either way.
    """
    created = reset = 0
    with transaction() as session:
        # Two runs at once would both see a plan missing.
        exclusive(session, "plans")
        existing = {plan.code: plan for plan in session.scalars(select(Plan).with_for_update())}
        for position, terms in enumerate(_STANDARD):
            plan = existing.get(terms["code"])
            if plan is None:
                session.add(Plan(**terms, position=position, on_sale=True, created_at=now, updated_at=now))
                created += 1
            elif force:
                for name, value in terms.items():
                    setattr(plan, name, value)
                plan.position, plan.on_sale, plan.updated_at = position, True, now
                reset += 1
    return created, reset


def _is_code(code: object) -> bool:
    # Nothing else is asked of the database: half a surrogate pair, say, cannot even be sent to it.
    return isinstance(code, str) and CODE.fullmatch(code) is not None


def _terms(
    code: str, title: str, description: str, price: str, discount: str, days: int, quota: int
) -> dict[str, Any]:
    return {
        "code": code,
        "title": title,
        "description": description,
        "price": Decimal(price),
        "discount": Decimal(discount),
        "currency": "RUB",
        "period_days": days,
        "email_quota": quota,
    }


_STANDARD = (
    _terms("START_MONTHLY", "Старт", "Для первых рассылок и небольших баз", "390.00", "0.00", 30, 5_000),
    _terms("PRO_MONTHLY", "Про", "Для магазина, который пишет каждую неделю", "990.00", "0.00", 30, 50_000),
    _terms(
        "BUSINESS_MONTHLY", "Бизнес", "Для больших баз и ежедневных писем", "2990.00", "0.00", 30, 250_000
    ),
    _terms("PRO_YEARLY", "Про на год", "Тариф «Про» на 365 дней", "11880.00", "1980.00", 365, 600_000),
    _terms(
        "BUSINESS_YEARLY",
        "Бизнес на год",
        "Тариф «Бизнес» на 365 дней",
        "35880.00",
        "5980.00",
        365,
        3_000_000,
    ),
)
