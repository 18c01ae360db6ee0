"""What operators did, in words: the journal's acts, and what each was done to."""

from __future__ import annotations

from collections.abc import Mapping

from flask import url_for
from markupsafe import Markup

from portal.admin.setting_words import BY_NAME
from portal.models import AuditEntry

#: What operators did, as the journal names it.
ACTS: Mapping[str, str] = {
    "ask": "спросил шлюз",
    "ask-for-cards": "написал подписчикам о переходе",
    "change-email": "сменил почту своего аккаунта",
    "chargeback": "записал чарджбэк",
    "chargeback-won": "записал, что деньги по чарджбэку снова у магазина",
    "close-account": "закрыл свой аккаунт",
    "create-admin": "завёл сотрудника",
    "create-api-key": "создал ключ товара",
    "decide": "решил случай",
    "disable": "отключил аккаунт",
    "enable": "включил аккаунт",
    "export": "скачал список",
    "extend": "добавил дни",
    "jobs-forgotten": "убрал задачи из списка",
    "jobs-retried": "повторил задачи",
    "notification-replayed": "применил уведомление ещё раз",
    "notifications-replayed": "применил много уведомлений ещё раз",
    "plan-changed": "изменил тариф",
    "plan-created": "создал тариф",
    "plan-hidden": "убрал тариф из продажи",
    "plan-moved": "передвинул тариф",
    "plan-shown": "вернул тариф в продажу",
    "price-move": "назначил новую цену подписчикам",
    "price-move-called-off": "отменил новую цену подписчикам",
    "reconciliation-ordered": "начал сверку",
    "recovery-codes": "получил новые коды восстановления",
    "refund": "вернул деньги",
    "resend": "повторил письмо",
    "revoke-api-key": "отозвал ключ товара",
    "role": "сменил роль",
    "send-letter": "поторопил письмо",
    "setting": "изменил настройку",
    "setting-replaced": "заменил секрет в настройках",
    "stop-renewal": "выключил продление",
    "two-factor-off": "выключил второй фактор",
    "two-factor-on": "включил второй фактор",
}

#: What an act was done to, and the room where that is shown by its number.
_SUBJECTS: Mapping[str, tuple[str, str]] = {
    "api_key": ("ключ товара", ""),
    "case": ("случай", "desk_cases"),
    "gateway": ("шлюз", ""),
    "job": ("задача", ""),
    "list": ("список", ""),
    "notification": ("письмо", "desk_notifications"),
    "payment": ("платёж", "desk_payments"),
    "plan": ("тариф", ""),
    "price_move": ("новая цена", ""),
    "reconciliation": ("сверка", ""),
    "refund": ("возврат", "desk_refunds"),
    "replay": ("повтор уведомлений", ""),
    "setting": ("настройка", ""),
    "user": ("аккаунт", "desk_users"),
    "webhook_event": ("уведомление", "desk_webhook_events"),
    "webhook-event": ("уведомление", "desk_webhook_events"),
}

#: Those who act at the desk's journal without an account, as it is kept there.
ACTORS: Mapping[str, str] = {"command line": "командная строка"}


def actor(kept: str) -> str:
    """Who did it: an address, or what has none."""
    return ACTORS.get(kept, kept)


def act(entry: AuditEntry) -> str:
    """What was done."""
    return ACTS.get(entry.act, entry.act)


def subject(entry: AuditEntry) -> Markup:
    """What it was done to, leading to its page where it has one."""
    name, number = entry.subject_type, entry.subject_id
    what, room = _SUBJECTS.get(name, (name, ""))
    if name == "setting" and number in BY_NAME:
        return Markup("{} «{}» <code>{}</code>").format(what, BY_NAME[number][1].label, number)
    if not room or not number.isdigit():
        return Markup("{} {}").format(what, number)
    where = url_for(f"{room}.details_view", id=number)
    return Markup('<a href="{}">{} № {}</a>').format(where, what, number)
