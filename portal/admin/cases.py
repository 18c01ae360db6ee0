"""The queue of cases: what the portal would not decide alone, the facts, and what each decision will do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_login import current_user
from sqlalchemy import select

from portal import clock
from portal.accounts import present
from portal.admin import case_words
from portal.admin.access import ROLES, needs
from portal.admin.acts import Act, carried_out
from portal.admin.filters import Exactly, OneOf, YesNo
from portal.admin.rows import Rows
from portal.admin.words import word
from portal.billing import asking, case_verbs, deciding
from portal.billing.deciding import NotOffered
from portal.database import db
from portal.errors import NotAllowed, NotFound, PortalError
from portal.models import Case, CaseChoice, CaseKind, GatewayName, Refund, Role, User
from portal.money import to_people


class Cases(Rows):
    """What the portal would not decide alone."""

    one = "Случай"
    what = "Что портал не стал решать сам: здесь нужен человек. Нерешённые сверху."
    details_template = "admin/cases/details.html"
    column_list = (
        "id",
        "opened_at",
        "kind",
        "gateway",
        "amount",
        "payment_id",
        "resolution",
    )
    beneath: ClassVar[Mapping[str, tuple[str, ...]]] = {"resolution": ("resolved_at",)}
    column_sortable_list = ("id", "opened_at")
    column_filters = (
        YesNo("open", Case.resolved_at.is_(None), "Не решён"),
        OneOf("kind", Case.kind, "Вид", CaseKind),
        OneOf("gateway", Case.gateway, "Шлюз", GatewayName),
        Exactly("id", (Case.gateway_payment_id,), "Номер у шлюза"),
        OneOf("resolution", Case.resolution, "Решение", CaseChoice),
    )

    def shown(self, row: Any, name: str) -> Any:
        """A sum with its currency: a case may be about another one."""
        if name == "amount" and row.amount is not None:
            return to_people(row.amount, row.currency or "RUB")
        return super().shown(row, name)

    def get_query(self) -> Any:
        """Open ones first."""
        return super().get_query().order_by(Case.resolved_at.is_not(None))

    def more(self, row: Any) -> dict[str, Any]:
        """The facts in words, what may be decided and what it will do, and how it ended."""
        look = deciding.look(row.id, clock.now())
        may_serve = current_user.may(Role.SUPPORT)
        return {
            "means": case_words.means(row),
            "case_facts": case_words.facts(look),
            "payment": look.payment,
            "subscription": look.subscription,
            "customer": db.session.get(User, look.payment.user_id) if look.payment else None,
            "refunds": _refunds_of(row),
            "choices": [_offer(look, one) for one in look.choices] if may_serve else [],
            "may_ask": may_serve and row.resolved_at is None and asking.may_ask(row),
            "may_send": may_serve and row.resolved_at is None and row.kind is CaseKind.NOTICE_UNSENT,
            "resolved_by": db.session.get(User, row.resolved_by or 0),
        }

    @expose("/decide/", methods=("GET", "POST"))
    @needs(Role.SUPPORT, fresh=True)
    def decide(self) -> ResponseReturnValue:
        """The page before a decision, and the decision."""
        number = _number()
        choice = _choice(request.args.get("choice", ""))
        look = deciding.look(number, clock.now())
        if not current_user.may(deciding.LEAST[choice]):
            raise NotAllowed(f"Так решает {ROLES[deciding.LEAST[choice]].lower()}.")
        if request.method == "GET" and look.case.resolved_at is not None:
            raise deciding.CaseClosed
        if request.method == "GET" and choice not in look.choices:
            raise NotOffered

        def carry_out(reason: str, form_key: str) -> str:
            deciding.decide(number, choice, present.user(), present.actor(), reason, form_key, clock.now())
            return f"Случай № {number} решён: {word(choice).text}."

        act = Act(
            title=f"{case_words.BUTTONS[choice]}: случай № {number}",
            facts=(("Что случилось", case_words.means(look.case)), *case_words.facts(look)[:3]),
            says=case_words.says(look, choice),
            button=case_words.BUTTONS[choice],
            back=url_for(".details_view", id=number),
            back_label=f"Случай № {number}",
        )
        return carried_out(self, act, carry_out)

    @expose("/ask/", methods=("POST",))
    @needs(Role.SUPPORT)
    def ask(self) -> ResponseReturnValue:
        """Ask the gateway once more."""
        number = _number()
        try:
            told = asking.ask(number, present.actor(), clock.now())
        except PortalError as error:
            flash(error.message, "bad")
        else:
            flash(_heard(told, number), "info")
        return redirect(url_for(".details_view", id=number), 303)

    @expose("/send/", methods=("POST",))
    @needs(Role.SUPPORT)
    def send(self) -> ResponseReturnValue:
        """Send the letter that a renewal waits for."""
        number = _number()
        try:
            asking.send_letter(number, present.actor(), clock.now())
        except PortalError as error:
            flash(error.message, "bad")
        else:
            flash("Письмо отправляем. Когда оно уйдёт, продление продолжится и случай закроется сам.", "good")
        return redirect(url_for(".details_view", id=number), 303)


def _refunds_of(case: Case) -> list[int]:
    """The numbers of the refunds that a case is about, or that were ordered by it."""
    about = case_verbs.refund_of(db.session(), case)
    ordered = db.session.scalars(select(Refund.id).where(Refund.case_id == case.id))
    return sorted({*ordered, *([about.id] if about is not None else [])})


def _offer(look: deciding.Look, choice: CaseChoice) -> dict[str, Any]:
    """One decision as the page offers it, to whoever may take it."""
    least = deciding.LEAST[choice]
    return {
        "choice": choice.value,
        "button": case_words.BUTTONS[choice],
        "says": case_words.says(look, choice),
        "least": None if current_user.may(least) else ROLES[least].lower(),
    }


def _heard(told: Any, number: int) -> str:
    """What an ask brought."""
    case = db.session.get_one(Case, number, populate_existing=True)
    if case.resolved_at is not None:
        return "Шлюз ответил, и случай решился сам."
    if told is None:
        return "Шлюз ответил, но ничего нового. Случай остаётся открытым."
    back = f", возвращено {to_people(told.refunded, told.currency)}" if told.refunded else ""
    state = case_words.OUTCOMES.get(told.outcome.value, told.outcome.value)
    return f"Шлюз говорит: {state}, {to_people(told.amount, told.currency)}{back}."


def _number() -> int:
    text = request.args.get("id", "")
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise NotFound
    return int(text)


def _choice(text: str) -> CaseChoice:
    try:
        found = CaseChoice(text)
    except ValueError:
        raise NotFound from None
    if found not in case_words.BUTTONS:
        raise NotFound
    return found
