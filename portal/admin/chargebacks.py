"""A chargeback at the desk: what the gateway's letter says, what becomes of the plan, the money come back."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from flask import abort, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_login import current_user
from sqlalchemy import select

from portal import clock, running
from portal.accounts import present
from portal.admin.access import needs
from portal.admin.acts import Act, Input, carried_out
from portal.admin.moments import clock_time
from portal.billing import chargebacks, disputed
from portal.billing.disputed import Letter
from portal.database import db
from portal.models import GatewayName, Payment, PaymentStatus, PurchasedPlan, Role, Subscription, User
from portal.models.subscription import LIVE
from portal.money import to_people

_WHENCE = {
    GatewayName.CLOUDPAYMENTS: (
        "CloudPayments показывает чарджбэки в своём списке, и портал читает его каждый час. Записывайте сами,"
        " только если письмо пришло, а случая до сих пор нет."
    ),
    GatewayName.YOOKASSA: "ЮKassa через API о чарджбэках не сообщает: о них пишут письмом.",
}


class Chargebacks:
    """Two acts of the room of payments."""

    @expose("/chargeback/", methods=("GET", "POST"))
    @needs(Role.SUPPORT, fresh=True)
    def chargeback(self: Any) -> ResponseReturnValue:
        """Write down that the customer's bank took the money back."""
        payment = _paid(self)

        def report(reason: str, form_key: str) -> str:
            typed = {name: request.form.get(name, "") for name in ("amount", "day", "number", "plan")}
            who, now = present.user(), clock.now()
            case = disputed.report(payment.id, Letter(**typed), who, present.actor(), reason, form_key, now)
            return f"Чарджбэк записан, деньги считаются ушедшими. Случай № {case}."

        return carried_out(self, _report(payment), report)

    @expose("/chargeback-won/", methods=("GET", "POST"))
    @needs(Role.OWNER, fresh=True)
    def chargeback_won(self: Any) -> ResponseReturnValue:
        """Write down that the money is with the shop."""
        payment = _paid(self)
        taken = chargebacks.standing(db.session(), payment.id)
        if request.method == "GET" and not taken:
            abort(404)

        def undo(reason: str, form_key: str) -> str:
            back = disputed.won(payment.id, present.actor(), reason, form_key, clock.now())
            return f"Записано: {to_people(back, payment.currency)} снова у магазина."

        return carried_out(self, _won(payment, taken[-1].amount if taken else payment.amount), undo)


def _paid(room: Any) -> Payment:
    """The payment that the address names, if it took money."""
    found: Payment | None = room.get_one(request.args.get("id", ""))
    if found is None or found.status is not PaymentStatus.SUCCEEDED:
        abort(404)
    return found


def _report(payment: Payment) -> Act:
    back = payment.refunded_amount
    now = clock.now()
    return Act(
        title=f"Чарджбэк по платежу № {payment.id}",
        facts=(
            ("Платёж", f"«{payment.plan_title or payment.description}», {_sum(payment.amount, payment)}"),
            ("Клиент", db.session.get_one(User, payment.user_id).email),
            *([("Уже ушло обратно", _sum(back, payment))] if back else []),
        ),
        says=(
            "Эта сумма будет считаться ушедшей в тот день: вернуть её клиенту ещё раз портал не даст.",
            "Она войдёт в «Возвращено» в статистике и в реестр по дням; в шлюз ничего не отправится.",
            "Откроется случай. Если банк потом вернёт деньги, отметьте это в нём или на странице платежа.",
            _WHENCE[payment.gateway],
        ),
        inputs=(
            Input(
                "amount", "Сколько забрал банк", "Рубли и копейки.", "money", _typed(payment.amount - back)
            ),
            Input(
                "day",
                "Когда деньги списали",
                "По письму шлюза.",
                "date",
                f"{now.astimezone(_zone()):%Y-%m-%d}",
            ),
            Input("number", "Номер спора", "Номер обращения или ARN из письма.", "text", most=64),
            Input("plan", "Что с тарифом", "", "radio", "leave", tuple(_choices(payment, now))),
        ),
        button="Записать чарджбэк",
        back=url_for(".details_view", id=payment.id),
        back_label=f"Платёж № {payment.id}",
        hint="Что написал шлюз и до какого дня можно ответить. Останется в случае и в журнале.",
    )


def _choices(payment: Payment, now: datetime) -> list[tuple[str, str]]:
    """What may be done with the plan at once, each with what follows from it."""
    found = [("leave", "Пока ничего: решим в случае")]
    period = db.session.scalar(select(PurchasedPlan).where(PurchasedPlan.payment_id == payment.id))
    live = db.session.get(Subscription, period.subscription_id or 0) if period is not None else None
    if live is not None and live.auto_renew and live.status in LIVE:
        until = clock_time(live.current_period_end)
        sentence = f"оплаченное доработает до {until}, клиенту уйдёт письмо"
        found.append(("stop", f"Выключить продление: {sentence}"))
    counts = period is not None and period.revoked_at is None and period.ends_at > now
    if period is not None and counts and current_user.may(Role.OWNER):
        sentence = "перестанет работать сразу, продление выключится, клиенту уйдёт письмо"
        found.append(("end", f"Закончить «{period.plan_title}»: {sentence}"))
    return found


def _won(payment: Payment, amount: Decimal) -> Act:
    return Act(
        title=f"Деньги по платежу № {payment.id} снова у магазина",
        says=(
            f"{_sum(amount, payment)} перестанут считаться ушедшими, и вернуть их клиенту снова можно.",
            "Из «Возвращено» в статистике и из реестра за тот день они уйдут.",
            "Если тариф из-за чарджбэка закончили, он не включится: дни добавляют на странице клиента.",
        ),
        button="Деньги у магазина",
        back=url_for(".details_view", id=payment.id),
        back_label=f"Платёж № {payment.id}",
        hint="Чем кончился спор, или почему чарджбэк был записан по ошибке. Останется в журнале.",
    )


def _sum(amount: Decimal, payment: Payment) -> str:
    return to_people(amount, payment.currency)


def _typed(amount: Decimal) -> str:
    """A sum as a person types it; nothing where nothing is left."""
    return f"{amount:.2f}".replace(".", ",") if amount else ""


def _zone() -> ZoneInfo:
    return ZoneInfo(running.config().tz_display)
