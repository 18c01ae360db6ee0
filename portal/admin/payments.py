"""A payment's page — the facts, its whole story, and what may be done — and the list of payments."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_login import current_user
from markupsafe import Markup
from sqlalchemy import func, select, union_all
from sqlalchemy.orm import aliased

from portal import clock
from portal.accounts import present
from portal.admin import story
from portal.admin.access import needs
from portal.admin.acts import Act, Input, carried_out
from portal.admin.chargebacks import Chargebacks
from portal.admin.filters import Customer, EitherId, Exactly, Narrowing, OneOf, Since, Until, YesNo
from portal.admin.moments import clock_time
from portal.admin.rows import ROW_NUMBER, Rows, customer_link, row_link
from portal.admin.words import badge, cell, word
from portal.billing import chargebacks, giving_back, on_behalf, refunds
from portal.billing import story as stories
from portal.database import db
from portal.errors import InvalidRequest, PortalError
from portal.gateways import declines
from portal.models import (
    BillingMode,
    GatewayName,
    Payment,
    PaymentMethod,
    PaymentPurpose,
    PaymentStatus,
    PurchasedPlan,
    Role,
    Subscription,
    User,
)
from portal.models.subscription import LIVE
from portal.money import to_people


class LastFour(Narrowing):
    """By the last four digits of the card: as it was shown when it paid, or as it is saved."""

    def validate(self, value: str) -> bool:
        """Four digits."""
        return len(value.strip()) == 4 and value.strip().isascii() and value.strip().isdigit()

    def condition(self, value: Any) -> Any:
        """Either place, each through its own index."""
        one = aliased(Payment)
        saved = select(PaymentMethod.id).where(PaymentMethod.last4 == value)
        shown = select(one.id).where(func.right(one.method_title, 5) == f" {value}")
        charged = select(one.id).where(one.payment_method_id.in_(saved))
        return Payment.id.in_(union_all(shown, charged))


class ReasonWords(Narrowing):
    """By a gateway's code, or by any words of the sentence that a customer reads for it."""

    def condition(self, value: Any) -> Any:
        """The codes whose sentence has these words."""
        return Payment.failure_code.in_([value, *declines.codes_with(value)])


class Payments(Chargebacks, Rows):
    """Payments at both gateways."""

    what = "Все заказы обоих шлюзов, новые сверху."
    one = "Платёж"
    details_template = "admin/payments/details.html"
    column_list = (
        "id",
        "created_at",
        "user_id",
        "plan_title",
        "amount",
        "status",
        "refunded_amount",
        "fee",
        "gateway",
        "billing_mode",
    )
    beneath: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "plan_title": ("purpose",),
        "status": ("failure_code",),
        "gateway": ("method_title",),
    }
    wide_columns = frozenset({"billing_mode"})
    wrapping_columns = Rows.wrapping_columns | {"status"}
    column_details_exclude_list = ("confirmation_url",)
    column_sortable_list = ("id", "created_at", "amount")
    column_filters = (
        EitherId("id", Payment.gateway_payment_id, "Номер заказа", ours=Payment.transaction_id),
        Customer("customer", Payment.user_id, "Клиент"),
        LastFour("last4", Payment.method_title, "Конец карты"),
        OneOf("status", Payment.status, "Состояние", PaymentStatus),
        OneOf("gateway", Payment.gateway, "Шлюз", GatewayName),
        OneOf("purpose", Payment.purpose, "За что", PaymentPurpose),
        OneOf("mode", Payment.billing_mode, "Режим", BillingMode),
        YesNo("test", Payment.test_mode, "Тестовый"),
        Exactly("plan", (Payment.plan_code,), "Код тарифа"),
        ReasonWords("reason", Payment.failure_code, "Причина отказа"),
        Since("since", Payment.created_at, "Создан с"),
        Until("until", Payment.created_at, "по"),
        Since("paid-since", Payment.paid_at, "Оплачен с"),
        Until("paid-until", Payment.paid_at, "по"),
        YesNo("fee", Payment.fee.is_not(None), "Комиссия известна"),
    )

    def shown(self, row: Any, name: str) -> Any:
        """A refusal in words, an amount that never came back as nothing."""
        if name == "failure_code" and row.failure_code:
            return story.reason_in_short(row.gateway, row.failure_code)
        if name == "refunded_amount" and not row.refunded_amount:
            return cell(None)
        return super().shown(row, name)

    def more(self, row: Any) -> dict[str, Any]:
        """The facts that matter, the story, and the buttons of this operator."""
        left = refunds.left(db.session(), row.id)
        return {
            "facts_on_top": _facts(row, left, self._template_args.get("customers", {})),
            "story": story.told(stories.of(row), row.gateway),
            "left": left,
            "may_serve": current_user.may(Role.SUPPORT),
            "may_undo": current_user.may(Role.OWNER) and bool(chargebacks.standing(db.session(), row.id)),
        }

    @expose("/refund/", methods=("GET", "POST"))
    @needs(Role.SUPPORT, fresh=True)
    def refund(self) -> ResponseReturnValue:
        """Give money back, all that is left or a part."""
        payment = _asked_for()
        left = refunds.left(db.session(), payment.id)
        allowed = giving_back.allowance(db.session(), present.user(), clock.now())

        def give(reason: str, form_key: str) -> str:
            typed = _how_much(request.form.get("how", ""), request.form.get("amount", "").strip(), left)
            number = giving_back.give_back(
                payment.id, typed, present.user(), present.actor(), reason, form_key, clock.now()
            )
            return f"Возврат № {number} оформлен, деньги отправляем."

        return carried_out(self, _refund(payment, left, allowed), give)

    @expose("/ask/", methods=("POST",))
    @needs(Role.SUPPORT)
    def ask(self) -> ResponseReturnValue:
        """Ask the gateway now, and say what that changed."""
        payment = _asked_for()
        try:
            before, after = on_behalf.ask_now(payment.id, present.actor(), clock.now())
        except PortalError as error:
            flash(f"Шлюз не ответил: {error.message}", "bad")
        else:
            flash(_changes(before, after, payment), "good" if before != after else "info")
        return redirect(url_for(".details_view", id=payment.id), 303)


def _asked_for() -> Payment:
    """The payment that the address names."""
    number = request.args.get("id", "")
    found = db.session.get(Payment, int(number)) if ROW_NUMBER.fullmatch(number) else None
    if found is None:
        abort(404)
    return found


def _how_much(how: str, typed: str, left: Decimal) -> str | Decimal:
    """All that is left, or the part that was typed; what can be understood both ways is asked again."""
    if how not in {"all", "part"}:
        raise InvalidRequest("Выберите, сколько вернуть: всё или часть.")
    if how == "all" and typed:
        raise InvalidRequest("Выбрано «Всё», но написана сумма части. Сотрите её или выберите «Часть».")
    return typed if how == "part" else left


def _facts(row: Payment, left: Any, customers: Any) -> list[tuple[str, Any]]:
    why = story.reason(row.gateway, row.failure_code) if row.status is PaymentStatus.FAILED else None
    mode = " · ".join((word(row.billing_mode).text, *(["тестовый"] if row.test_mode else [])))
    saved = row_link("desk_methods", row.payment_method_id) if row.payment_method_id else None
    facts = [
        ("Клиент", customer_link(row.user_id, customers)),
        ("За что", f"{word(row.purpose).text}: {row.plan_title or row.description}"),
        ("Сумма", to_people(row.amount, row.currency)),
        ("Состояние", badge(row.status)),
        ("Почему отклонён", why),
        ("Возвращено", to_people(row.refunded_amount, row.currency) if row.refunded_amount else None),
        ("Можно вернуть", to_people(left, row.currency) if row.paid_at else None),
        ("Зачтено", to_people(row.credit, row.currency) if row.credit else None),
        ("Шлюз и режим", f"{word(row.gateway).text} · {mode}"),
        ("Чем платили", row.method_title or saved),
        ("Подписка", row_link("desk_subscriptions", row.subscription_id) if row.subscription_id else None),
        ("Наш номер", row.transaction_id),
        ("Номер у шлюза", row.gateway_payment_id),
    ]
    return [
        (label, cell(value) if not isinstance(value, Markup) else value) for label, value in facts if value
    ]


def _refund(payment: Payment, left: Any, allowed: giving_back.Allowance) -> Act:
    sums = to_people(left, payment.currency)
    facts = [
        ("Платёж", f"«{payment.plan_title or payment.description}», {_of(payment.amount, payment)}"),
        ("Клиент", db.session.get_one(User, payment.user_id).email),
        ("Можно вернуть", sums),
    ]
    if allowed.limit is not None and allowed.left is not None:
        of_limit = f"{to_people(allowed.left)} из {to_people(allowed.limit)}"
        facts.append(("Вам на сегодня осталось", of_limit))
    return Act(
        title=f"Возврат по платежу № {payment.id}",
        facts=tuple(facts),
        says=(
            *_loses(payment, sums),
            "Вернётся часть: тариф останется до своего конца.",
            "Деньги придут тем же способом, которым платили. Клиенту уйдёт письмо.",
        ),
        inputs=(
            Input("how", "Сколько вернуть", "", "radio", "", (("all", f"Всё: {sums}"), ("part", "Часть"))),
            Input("amount", "Сумма части", "Рубли и копейки, например 340,50.", "money"),
        ),
        button="Вернуть деньги",
        back=url_for("desk_payments.details_view", id=payment.id),
        back_label=f"Платёж № {payment.id}",
        hint="Её увидят в журнале и в кабинете шлюза.",
    )


def _of(amount: Any, payment: Payment) -> str:
    return to_people(amount, payment.currency)


def _loses(payment: Payment, sums: str) -> list[str]:
    """What the customer loses when all that is left goes back."""
    period = db.session.scalar(
        select(PurchasedPlan).where(
            PurchasedPlan.payment_id == payment.id, PurchasedPlan.revoked_at.is_(None)
        )
    )
    if period is None or period.ends_at <= clock.now():
        return [f"Вернётся всё ({sums}): действующего периода у этого платежа нет."]
    said = [f"Вернётся всё ({sums}): «{period.plan_title}» до {clock_time(period.ends_at)} закончится сразу."]
    if payment.replaces_payment_id is not None:
        said.append("Прежний тариф, который заменила эта оплата, вернётся на остаток своего срока.")
    renews = select(Subscription.id).where(
        Subscription.user_id == payment.user_id, Subscription.status.in_(LIVE), Subscription.auto_renew
    )
    if db.session.scalar(renews) is not None:
        said.append("Если других оплаченных периодов нет, закончится и подписка, списаний больше не будет.")
    return said


def _changes(before: on_behalf.Known, after: on_behalf.Known, payment: Payment) -> str:
    if before == after:
        return f"Шлюз ответил, ничего не изменилось: {word(after.status).text}."
    said = []
    if before.status is not after.status:
        said.append(f"было «{word(before.status).text}», стало «{word(after.status).text}»")
    if before.refunded != after.refunded:
        said.append(f"возвращено {to_people(after.refunded, payment.currency)}")
    if after.cases > before.cases:
        said.append("открыт случай")
    return f"Шлюз ответил: {', '.join(said) or 'уточнилась причина отказа'}."
