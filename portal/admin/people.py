"""Customers and operators: who they are, what they have, and what an operator does for them."""

from __future__ import annotations

import json
from typing import Any

from flask import Response, abort, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_login import current_user
from sqlalchemy import cast, or_, select

from portal import clock
from portal.accounts import disabling, present, sessions
from portal.accounts.wall_clock import wall_now
from portal.admin.access import needs
from portal.admin.acts import Act, Input, carried_out
from portal.admin.filters import Address, Exactly, OneOf, YesNo
from portal.admin.moments import clock_time
from portal.admin.rows import Rows
from portal.billing import consents, extending, on_behalf, subscriptions
from portal.database import db
from portal.errors import InvalidRequest
from portal.models import (
    AuditEntry,
    Notification,
    Payment,
    PaymentMethod,
    PurchasedPlan,
    Refund,
    Role,
    Subscription,
    User,
)

#: So many of each kind stand on the page; the lists have the rest.
_SOME = 10
_TONGUES = {"ru": "русский", "en": "английский"}


class People(Rows):
    """Customers and operators."""

    what = "Клиенты и сотрудники. На странице клиента — всё, что он платил, получал и на что соглашался."
    details_template = "admin/users/details.html"
    column_list = ("id", "email", "role", "totp_since", "email_confirmed_at", "created_at", "disabled_at")
    column_details_exclude_list = ("password_hash", "totp_secret", "totp_last_step")
    column_sortable_list = ("id", "email", "created_at")
    column_filters = (
        Address("email", User.email, "Почта"),
        Exactly("id", (User.public_id,), "Номер у шлюзов"),
        OneOf("role", User.role, "Роль", Role),
        YesNo("disabled", User.disabled_at.is_not(None), "Отключён"),
    )

    def shown(self, row: Any, name: str) -> Any:
        """A language by its name."""
        return _TONGUES.get(row.language, row.language) if name == "language" else super().shown(row, name)

    def more(self, row: Any) -> dict[str, Any]:
        """All that is known of a customer, the latest of each kind."""
        now = clock.now()
        standing = subscriptions.standing(row.id, now)
        return {
            "standing": standing,
            "may_serve": current_user.may(Role.SUPPORT) and not row.is_admin,
            "extendable": extending.running(db.session(), row.id, now) is not None,
            "sessions": len(sessions.of(row.id, wall_now())),
            "consents": consents.given_by(row.id),
            "payments": _latest(Payment, Payment.user_id == row.id),
            "refunds": _latest(
                Refund, Refund.payment_id.in_(select(Payment.id).where(Payment.user_id == row.id))
            ),
            "periods": _latest(PurchasedPlan, PurchasedPlan.user_id == row.id),
            "subscriptions": _latest(Subscription, Subscription.user_id == row.id),
            "methods": _latest(PaymentMethod, PaymentMethod.user_id == row.id),
            "letters": _latest(Notification, Notification.user_id == row.id),
            "acts": _latest(
                AuditEntry,
                or_(
                    (AuditEntry.subject_type == "user") & (AuditEntry.subject_id == str(row.id)),
                    (AuditEntry.subject_type == "payment")
                    & AuditEntry.subject_id.in_(_numbers_of_payments(row.id)),
                ),
            ),
        }

    @expose("/consents/")
    def consents(self) -> Response:
        """The evidence of a customer's agreements, as a file."""
        user = _asked_for()
        told = {"email": user.email, "public_id": user.public_id, "agreements": consents.export(user.id)}
        answer = Response(json.dumps(told, ensure_ascii=False, indent=2), mimetype="application/json")
        answer.headers["Content-Disposition"] = f'attachment; filename="consents-{user.id}.json"'
        return answer

    @expose("/extend/", methods=("GET", "POST"))
    @needs(Role.SUPPORT)
    def extend(self) -> ResponseReturnValue:
        """Give days."""
        user = _asked_for()
        period = extending.running(db.session(), user.id, clock.now())
        if period is None:
            raise extending.NothingToExtend

        def give(reason: str, form_key: str) -> str:
            days = _days(request.form.get("days", ""))
            end = extending.extend(user.id, days, present.actor(), reason, form_key, clock.now())
            return f"Тариф «{period.plan_title}» действует до {clock_time(end)}."

        act = Act(
            title=f"Добавить дни: {user.email}",
            facts=(
                ("Тариф", f"«{period.plan_title}»"),
                ("Действует до", clock_time(period.ends_at)),
                *_days_left(),
            ),
            says=(
                "Конец тарифа сдвинется на столько дней, всё оплаченное после него — тоже.",
                "Если включено продление, списание сдвинется вместе с концом. Денег не возьмём.",
                "Клиент получит письмо и увидит это в кабинете.",
            ),
            inputs=(Input("days", "Сколько дней", f"От 1 до {extending.MOST_DAYS}.", "number", "7"),),
            button="Добавить дни",
            **_back(user),
        )
        return carried_out(self, act, give)

    @expose("/stop/", methods=("GET", "POST"))
    @needs(Role.SUPPORT)
    def stop(self) -> ResponseReturnValue:
        """Switch renewal off for the customer."""
        user = _asked_for()

        def carry_out(reason: str, _form_key: str) -> str:
            was_on = on_behalf.stop_renewal(user.id, present.actor(), reason, clock.now())
            return "Продление выключено." if was_on else "Продление и было выключено."

        act = Act(
            title=f"Выключить продление: {user.email}",
            says=(
                "Списаний больше не будет; согласие будет отозвано с пометкой, что это сделал сотрудник.",
                "Оплаченное доработает до конца. Клиент получит письмо и сможет включить продление сам.",
            ),
            button="Выключить продление",
            **_back(user),
        )
        return carried_out(self, act, carry_out)

    @expose("/disable/", methods=("GET", "POST"))
    @needs(Role.SUPPORT, fresh=True)
    def disable(self) -> ResponseReturnValue:
        """Close the account."""
        user = _asked_for()

        def carry_out(reason: str, _form_key: str) -> str:
            was_on = disabling.disable(user.id, present.actor(), reason, clock.now())
            return "Аккаунт отключён." if was_on else "Аккаунт и был отключён."

        act = Act(
            title=f"Отключить аккаунт: {user.email}",
            says=(
                "Клиент не сможет войти, открытые сеансы закончатся, продукт перестанет отправлять письма.",
                "Списаний больше не будет. Деньги не возвращаются: возврат оформляется отдельно.",
            ),
            button="Отключить аккаунт",
            **_back(user),
        )
        return carried_out(self, act, carry_out)

    @expose("/enable/", methods=("GET", "POST"))
    @needs(Role.SUPPORT)
    def enable(self) -> ResponseReturnValue:
        """Open it again."""
        user = _asked_for()

        def carry_out(reason: str, _form_key: str) -> str:
            was_off = disabling.enable(user.id, present.actor(), reason, clock.now())
            return "Аккаунт включён." if was_off else "Аккаунт и был включён."

        act = Act(
            title=f"Включить аккаунт: {user.email}",
            says=("Клиент снова сможет войти. Продление он включает сам.",),
            button="Включить аккаунт",
            **_back(user),
        )
        return carried_out(self, act, carry_out)


def _asked_for() -> User:
    number = request.args.get("id", "")
    numeric = number.isascii() and number.isdigit() and len(number) <= 18
    found = db.session.get(User, int(number)) if numeric else None
    if found is None:
        abort(404)
    return found


def _back(user: User) -> dict[str, Any]:
    return {"back": url_for("desk_users.details_view", id=user.id), "back_label": user.email}


def _days_left() -> list[tuple[str, str]]:
    """What this clerk may still give today; owners have no limit."""
    allowed = extending.allowance(db.session(), present.user(), clock.now())
    return (
        []
        if allowed.limit is None
        else [("Вам на сегодня осталось дней", f"{allowed.left} из {allowed.limit}")]
    )


def _days(text: str) -> int:
    if not (text.strip().isascii() and text.strip().isdigit() and len(text.strip()) <= 4):
        raise InvalidRequest(f"Добавить можно от 1 до {extending.MOST_DAYS} дней.")
    return int(text)


def _latest(kind: Any, condition: Any) -> list[Any]:
    return list(db.session.scalars(select(kind).where(condition).order_by(kind.id.desc()).limit(_SOME)))


def _numbers_of_payments(user_id: int) -> Any:
    return select(cast(Payment.id, AuditEntry.subject_id.type)).where(Payment.user_id == user_id)
