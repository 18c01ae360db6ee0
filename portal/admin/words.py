"""How the desk writes facts for an operator: words and colours of states, labels of columns, sums and
moments.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from flask import current_app
from markupsafe import Markup, escape

from portal.models import (
    BillingMode,
    CaseChoice,
    CaseKind,
    Channel,
    EventStatus,
    GatewayName,
    PaymentPurpose,
    PaymentStatus,
    RefundSource,
    RefundStatus,
    Revocation,
    Role,
    SubscriptionStatus,
)

NOTHING = "—"


@dataclass(frozen=True, slots=True)
class Word:
    """A state in a word or two, and how good it is: good, wait, bad, plain."""

    text: str
    kind: str = "plain"


_WORDS: dict[type[StrEnum], dict[StrEnum, Word]] = {
    PaymentStatus: {
        PaymentStatus.PENDING: Word("ждёт оплаты"),
        PaymentStatus.AUTHORIZED: Word("деньги удержаны", "wait"),
        PaymentStatus.SUCCEEDED: Word("оплачен", "good"),
        PaymentStatus.FAILED: Word("отклонён", "bad"),
        PaymentStatus.UNKNOWN: Word("исход неизвестен", "wait"),
    },
    PaymentPurpose: {
        PaymentPurpose.PURCHASE: Word("покупка"),
        PaymentPurpose.RENEWAL: Word("продление"),
        PaymentPurpose.CHANGE: Word("смена тарифа"),
        PaymentPurpose.BINDING: Word("привязка карты"),
        PaymentPurpose.LIVE_CHECK: Word("проверка магазина"),
    },
    RefundStatus: {
        RefundStatus.PENDING: Word("в пути", "wait"),
        RefundStatus.SUCCEEDED: Word("возвращён", "good"),
        RefundStatus.FAILED: Word("не прошёл", "bad"),
        RefundStatus.UNKNOWN: Word("исход неизвестен", "wait"),
    },
    RefundSource: {
        RefundSource.CUSTOMER: Word("клиент"),
        RefundSource.OPERATOR: Word("сотрудник"),
        RefundSource.GATEWAY: Word("кабинет шлюза"),
    },
    SubscriptionStatus: {
        SubscriptionStatus.ACTIVE: Word("действует", "good"),
        SubscriptionStatus.PAST_DUE: Word("не продлена", "wait"),
        SubscriptionStatus.CANCELED: Word("отменена"),
        SubscriptionStatus.EXPIRED: Word("закончилась"),
    },
    Revocation: {
        Revocation.REFUNDED: Word("деньги возвращены"),
        Revocation.CANCELED: Word("отменён клиентом"),
        Revocation.REPLACED: Word("заменён другим"),
    },
    EventStatus: {
        EventStatus.RECEIVED: Word("в очереди", "wait"),
        EventStatus.HANDLED: Word("применено", "good"),
        EventStatus.IGNORED: Word("ничего не меняет"),
        EventStatus.CASE: Word("стало случаем", "bad"),
    },
    GatewayName: {
        GatewayName.CLOUDPAYMENTS: Word("CloudPayments"),
        GatewayName.YOOKASSA: Word("ЮKassa"),
    },
    BillingMode: {
        BillingMode.ONE_TIME: Word("разовый"),
        BillingMode.RECURRING: Word("с автопродлением"),
    },
    Channel: {Channel.PORTAL: Word("в кабинете"), Channel.EMAIL: Word("письмо")},
    Role: {
        Role.VIEWER: Word("наблюдатель"),
        Role.SUPPORT: Word("поддержка"),
        Role.OWNER: Word("владелец"),
    },
    CaseChoice: {
        CaseChoice.GIVE_BACK: Word("деньги возвращены"),
        CaseChoice.ACCEPT: Word("принято как оплата заказа"),
        CaseChoice.DECLARE_FAILED: Word("признано непрошедшим"),
        CaseChoice.TRY_AGAIN: Word("отправлено ещё раз"),
        CaseChoice.BY_HAND: Word("возвращено вручную"),
        CaseChoice.STOP: Word("автопродление выключено"),
        CaseChoice.RELEASE: Word("списание разрешено без письма"),
        CaseChoice.END_PLAN: Word("тариф закончен"),
        CaseChoice.CLOSE: Word("закрыт с пометкой"),
        CaseChoice.ITSELF: Word("решился сам"),
    },
    CaseKind: {
        CaseKind.UNKNOWN_PAYMENT: Word("платёж без заказа", "bad"),
        CaseKind.AMOUNT_MISMATCH: Word("другая сумма", "bad"),
        CaseKind.CURRENCY_MISMATCH: Word("другая валюта", "bad"),
        CaseKind.ACCOUNT_MISMATCH: Word("другой плательщик", "bad"),
        CaseKind.SHOP_MISMATCH: Word("другой магазин", "bad"),
        CaseKind.TEST_MODE_MISMATCH: Word("тест вместо боя или наоборот", "bad"),
        CaseKind.GATEWAY_MISMATCH: Word("заказ другого шлюза", "bad"),
        CaseKind.SECOND_CAPTURE: Word("вторая оплата заказа", "bad"),
        CaseKind.UNKNOWN_REFUND: Word("возврат без платежа", "bad"),
        CaseKind.REFUND_ABOVE_CAPTURE: Word("возврат больше оплаты", "bad"),
        CaseKind.UNKNOWN_TOO_OLD: Word("исход неизвестен больше суток", "bad"),
        CaseKind.UNREADABLE: Word("уведомление не читается", "bad"),
        CaseKind.REFUND_FAILED: Word("возврат не прошёл", "bad"),
        CaseKind.RENEWAL_REFUSED: Word("продление отклонил шлюз", "bad"),
        CaseKind.NOTICE_UNSENT: Word("письмо до списания не ушло", "bad"),
        CaseKind.CHARGEBACK: Word("чарджбэк", "bad"),
        CaseKind.DRIFT: Word("расхождение со шлюзом", "bad"),
    },
}

#: Column by its name in the tables.
LABELS = {
    "act": "Действие",
    "actor": "Кто",
    "address": "Откуда",
    "after": "Стало",
    "amount": "Сумма",
    "asked_at": "Спросили",
    "at": "Когда",
    "attempt": "Попытка",
    "attempts": "Попыток",
    "auto_renew": "Автопродление",
    "bank": "Банк",
    "before": "Было",
    "billing_mode": "Режим",
    "brand": "Система",
    "called_at": "Обратились к шлюзу",
    "case_id": "Случай",
    "channel": "Куда",
    "charge_due_at": "Списание",
    "charge_look_at": "Посмотрим",
    "checks": "Сколько раз спросили",
    "code": "Код",
    "consent_id": "Согласие",
    "content_type": "Формат",
    "copy_of_id": "Повтор письма",
    "created_at": "Создан",
    "credit": "Зачёт",
    "currency": "Валюта",
    "current_period_end": "Срок до",
    "current_period_start": "Срок с",
    "days": "Дней",
    "dedupe_key": "Ключ повтора",
    "description": "Описание",
    "detached_at": "Отвязан",
    "detail": "Подробности",
    "disabled_at": "Отключён",
    "discount": "Скидка",
    "email": "Почта",
    "email_confirmed_at": "Почта подтверждена",
    "email_quota": "Писем",
    "emails_used": "Использовано",
    "ended_at": "Закончилась",
    "ends_at": "До",
    "expires_at": "Открыт до",
    "expiry_month": "Месяц карты",
    "expiry_year": "Год карты",
    "facts": "Сведения",
    "failed_at": "Отклонён",
    "failure_code": "Причина",
    "finished_at": "Закончен",
    "form_key": "Ключ формы",
    "gateway": "Шлюз",
    "gateway_object_id": "Объект шлюза",
    "gateway_payment_id": "Номер у шлюза",
    "gateway_refund_id": "Номер у шлюза",
    "grace_until": "Льготные дни до",
    "handled_at": "Обработано",
    "hash": "Печать",
    "held_since": "Задержано с",
    "id": "№",
    "is_demo": "Демо",
    "key": "Ключ",
    "kind": "Вид",
    "last4": "Последние цифры",
    "last_at": "Последний раз",
    "last_error": "Ошибка",
    "look_at": "Посмотрим",
    "method_title": "Чем платили",
    "name": "Название",
    "next_attempt_at": "Следующая попытка",
    "next_check_at": "Спросим",
    "next_plan_id": "Следующий тариф",
    "on_sale": "В продаже",
    "opened_at": "Открыт",
    "ordered_by": "Оформил",
    "paid_at": "Оплачен",
    "payment_id": "Платёж",
    "payment_method_id": "Способ оплаты",
    "period_days": "Дней",
    "period_start": "За срок с",
    "plan_code": "Тариф",
    "plan_id": "Тариф",
    "plan_title": "Тариф",
    "position": "Порядок",
    "preferred_at": "Выбран",
    "prefix": "Начало",
    "previous_hash": "Печать предыдущей",
    "price": "Цена",
    "privacy_accepted_at": "Согласие на обработку",
    "public_id": "Номер у шлюзов",
    "purpose": "За что",
    "raw_payload": "Тело",
    "read_at": "Прочитано",
    "reason": "Почему",
    "received_at": "Получено",
    "refunded_amount": "Возвращено",
    "replaced_emails_used": "Писем у прежнего",
    "replaces_payment_id": "Вместо платежа",
    "resolution": "Решение",
    "resolution_note": "Почему так",
    "resolved_at": "Решён",
    "resolved_by": "Кто решил",
    "revoked_at": "Отозван",
    "revoked_because": "Почему",
    "role": "Роль",
    "said": "Ответ",
    "sent_at": "Отправлено",
    "source": "Кто попросил",
    "starts_at": "С",
    "status": "Состояние",
    "stop_code": "Код отказа",
    "stopped_at": "Больше не списывать",
    "subject_id": "Номер",
    "subject_type": "Что",
    "subscription_id": "Подписка",
    "superseded_at": "Заменён другим заказом",
    "test_mode": "Тест",
    "times": "Раз",
    "title": "Название",
    "totp_since": "Второй фактор",
    "transaction_id": "Номер заказа",
    "updated_at": "Изменён",
    "url_kind": "Адрес",
    "user_id": "Клиент",
    "verdict": "Итог",
    "waived_for": "Списание без письма",
}


def word(value: StrEnum) -> Word:
    """The word for one member; a member without a word shows itself."""
    return _WORDS.get(type(value), {}).get(value) or Word(value.value)


def badge(value: StrEnum) -> Markup:
    """The word in its colour."""
    told = word(value)
    return Markup('<span class="badge badge--{}">{}</span>').format(told.kind, told.text)


def moment_in_words(value: datetime) -> str:
    """``22.12.2026 14:05:09`` on the shop's clock, as a spreadsheet reads it."""
    local = current_app.jinja_env.filters["local"](value)
    return f"{local:%d.%m.%Y %H:%M:%S}"


def moment(value: datetime) -> Markup:
    """Short enough for a table: ``22.12.2026 14:05`` on the shop's clock, to the second under the pointer."""
    local = current_app.jinja_env.filters["local"](value)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        value.isoformat(), f"{local:%d.%m.%Y %H:%M:%S %Z}", f"{local:%d.%m.%Y} {local:%H:%M}"
    )


def cell(value: Any) -> Any:
    """One value of a table, whatever it is; text is escaped."""
    if value is None or value == "":
        return Markup('<span class="aside">{}</span>').format(NOTHING)
    if isinstance(value, bool):
        return "да" if value else "нет"
    if isinstance(value, StrEnum):
        return badge(value)
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, Decimal):
        return f"{value:,.2f}".replace(",", "\N{NO-BREAK SPACE}").replace(".", ",")
    return escape(value)
