"""A payment's story in an operator's words: one title, one line of detail and a link per thing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import url_for

from portal.admin.act_words import ACTORS, ACTS, actor
from portal.admin.moments import clock_time, day
from portal.admin.verdict_words import verdict
from portal.admin.words import cell, number, word
from portal.billing.story import Line
from portal.gateways import declines
from portal.models import Channel, GatewayName, Operation, PaymentStatus, RefundSource, RefundStatus
from portal.money import to_people


@dataclass(frozen=True, slots=True)
class Told:
    """One line as the page draws it; *kind* is how good it is."""

    at: datetime
    title: str
    detail: str = ""
    url: str = ""
    kind: str = "plain"


_CALLS = {
    Operation.START: "Создали платёж у шлюза",
    Operation.CHARGE: "Отправили списание в шлюз",
    Operation.ASK: "Спросили шлюз о платеже",
    Operation.REFUND: "Отправили возврат в шлюз",
}
_SAID = {
    "pending": "ждёт плательщика",
    "authorized": "деньги удержаны",
    "succeeded": "деньги получены",
    "failed": "отказ",
    "not_there": "такого платежа нет",
    "GATEWAY_UNAVAILABLE": "нет ответа",
}
#: Of a refund the same words mean something else.
_SAID_OF_REFUND = {"pending": "принят, ещё не проведён", "succeeded": "проведён", "failed": "не прошёл"}


def told(lines: list[Line], gateway: GatewayName) -> list[Told]:
    """The story in words."""
    return [_WORDS[line.what](line, gateway) for line in lines]


def reason(gateway: GatewayName, code: str | None) -> str:
    """The sentence for a refusal, and its code beside it."""
    return f"{declines.explain(gateway.value, code).message} ({code})" if code else ""


def reason_in_short(gateway: GatewayName, code: str) -> str:
    """A refusal for a table: what happened, without what the customer may do; a strange code as it is."""
    found = declines.explain(gateway.value, code)
    return found.message.partition(". ")[0].rstrip(".") if found.known else code


def said(name: str, value: Any) -> Any:
    """A cell of a small table: kinds of letters and operators' acts by their words."""
    words = {"kind": LETTERS, "act": ACTS, "actor": ACTORS}.get(name, {})
    if name.startswith("emails_") and isinstance(value, int):
        return number(value)
    return cell(words.get(value, value) if isinstance(value, str) else value)


def page_of(room: str, number: int) -> str:
    """The address of a row's page."""
    return url_for(f"desk_{room}.details_view", id=number)


def _created(line: Line, _gateway: GatewayName) -> Told:
    row = line.row
    terms = f"{row.plan_title or row.description}, {to_people(row.amount, row.currency)}"
    return Told(line.at, "Заказ записан", f"{word(row.purpose).text}: {terms}")


def _call(line: Line, _gateway: GatewayName) -> Told:
    row = line.row
    words = _SAID | _SAID_OF_REFUND if row.operation is Operation.REFUND else _SAID
    said = words.get(row.said, row.said)
    times = f", так {row.times} раз подряд, последний — {clock_time(row.last_at)}" if row.times > 1 else ""
    kind = "plain" if row.said in _SAID and row.said != "GATEWAY_UNAVAILABLE" else "wait"
    return Told(line.at, _CALLS[row.operation], f"Ответ: {said}{times}. {row.detail}".strip(), kind=kind)


def _event(line: Line, _gateway: GatewayName) -> Told:
    row = line.row
    state = word(row.status)
    again = f", попыток {row.attempts}" if row.attempts > 1 else ""
    detail = f"{state.text}{again}. {verdict(row.verdict) or row.last_error or ''}".strip()
    where = page_of("webhook_events", row.id)
    return Told(line.at, f"Уведомление «{row.kind}»", detail, where, state.kind)


def _move(line: Line, gateway: GatewayName) -> Told:
    row = line.row
    after = word(row.after)
    title = "Снова отклонён" if row.before is row.after else after.text.capitalize()
    why = reason(gateway, row.code) if row.after is PaymentStatus.FAILED else ""
    return Told(line.at, f"Состояние: {title[0].lower()}{title[1:]}", why, kind=after.kind)


def _period(line: Line, _gateway: GatewayName) -> Told:
    row = line.row
    detail = f"«{row.plan_title}», {day(row.starts_at)} — {day(row.ends_at)}, писем {number(row.email_quota)}"
    return Told(line.at, "Период выдан", detail, page_of("purchased_plans", row.id), "good")


def _extended(line: Line, _gateway: GatewayName) -> Told:
    return Told(line.at, f"Добавлено дней: {line.row.days}", line.row.reason)


def _revoked(line: Line, _gateway: GatewayName) -> Told:
    row = line.row
    return Told(
        line.at, "Период отозван", word(row.revoked_because).text, page_of("purchased_plans", row.id), "bad"
    )


def _refund(line: Line, _gateway: GatewayName) -> Told:
    row = line.row
    if row.source is RefundSource.BANK:
        title = f"Записан чарджбэк {to_people(row.amount, row.currency)}"
        return Told(line.at, title, "", page_of("refunds", row.id), "bad")
    who = f"{word(row.source).text}: {row.reason}" if row.reason else word(row.source).text
    title = f"Возврат {to_people(row.amount, row.currency)}"
    return Told(line.at, title, who, page_of("refunds", row.id))


def _refund_ended(line: Line, gateway: GatewayName) -> Told:
    row = line.row
    if row.source is RefundSource.BANK:
        taken = to_people(row.amount, row.currency)
        if row.status is RefundStatus.FAILED:
            return Told(line.at, f"Банк забирал {taken} и вернул магазину", "", page_of("refunds", row.id))
        return Told(line.at, f"Банк клиента забрал {taken}", "", page_of("refunds", row.id), "bad")
    why = reason(gateway, row.failure_code) if row.status is RefundStatus.FAILED else ""
    title = f"Возврат {to_people(row.amount, row.currency)}: {word(row.status).text}"
    return Told(line.at, title, why, page_of("refunds", row.id), word(row.status).kind)


def _case(line: Line, _gateway: GatewayName) -> Told:
    found = word(line.row.kind)
    return Told(line.at, f"Случай: {found.text}", "", page_of("cases", line.row.id), "bad")


def _case_closed(line: Line, _gateway: GatewayName) -> Told:
    row = line.row
    how = word(row.resolution).text if row.resolution is not None else ""
    detail = f"{how}. {row.resolution_note}".strip(" .")
    return Told(line.at, f"Случай № {row.id} решён", detail, page_of("cases", row.id), "good")


def _act(line: Line, _gateway: GatewayName) -> Told:
    row = line.row
    return Told(line.at, f"{actor(row.actor)}: {ACTS.get(row.act, row.act)}", row.reason)


def _told(line: Line, _gateway: GatewayName) -> Told:
    row = line.row
    where = page_of("notifications", row.id)
    name = LETTERS.get(row.kind, row.kind)
    if row.channel is Channel.PORTAL:
        return Told(line.at, f"В кабинете: {name}", "", where)
    copy = "Письмо ещё раз" if row.copy_of_id else "Письмо"
    if row.sent_at is None:
        why = f"не ушло: {row.last_error}" if row.last_error else "ждёт отправки"
        return Told(line.at, f"{copy}: {name}", why, where, "wait")
    ended = row.last_error or f"ушло {clock_time(row.sent_at)}"
    return Told(line.at, f"{copy}: {name}", ended, where)


def _attempt(line: Line, gateway: GatewayName) -> Told:
    row = line.row
    why = reason(gateway, row.failure_code) if row.status is PaymentStatus.FAILED else ""
    title = f"Попытка {row.attempt} того же продления: {word(row.status).text}"
    return Told(line.at, title, why, page_of("payments", row.id), word(row.status).kind)


def _credit(line: Line, _gateway: GatewayName) -> Told:
    detail = f"Вместо «{line.row.plan_title}»: его остаток зачтён в цену" if line.row else ""
    return Told(line.at, "Смена тарифа", detail, page_of("payments", line.row.id) if line.row else "")


def _replaced(line: Line, _gateway: GatewayName) -> Told:
    row = line.row
    detail = f"«{row.plan_title}», зачтено {to_people(row.credit, row.currency)}"
    return Told(line.at, "Заменён другим тарифом", detail, page_of("payments", row.id))


def _superseded(line: Line, _gateway: GatewayName) -> Told:
    return Told(line.at, "Клиент отставил заказ", "Начал другой или закрыл аккаунт, а этот ещё ждал оплаты.")


def _consent(line: Line, _gateway: GatewayName) -> Told:
    row = line.row
    terms = f"{to_people(row.amount, row.currency)} каждые {row.period_days} дн."
    ended = f"; отозвано {clock_time(row.withdrawn_at)} ({row.withdrawn_because})" if row.withdrawn_at else ""
    return Told(line.at, "Согласие на продление", f"{terms}, с адреса {row.address}{ended}")


def _receipt(line: Line, _gateway: GatewayName) -> Told:
    return Told(line.at, f"Чек: {line.row.kind or 'без вида'}", line.row.gateway_receipt_id)


#: Letters and notices by their kind.
LETTERS: Mapping[str, str] = {
    "account_closed": "аккаунт закрыт клиентом",
    "already_registered": "адрес уже зарегистрирован",
    "card_elsewhere": "просьба сохранить карту в другом шлюзе",
    "card_expires": "карта скоро закончится",
    "change_email": "ссылка для смены почты",
    "change_email_asked": "просьба сменить почту",
    "change_returned": "деньги за смену тарифа вернутся",
    "confirm_email": "подтверждение почты",
    "email_changed": "почта сменена",
    "email_wanted": "почту указали в другом аккаунте",
    "password_changed": "пароль изменён",
    "payment_failed": "платёж не прошёл",
    "payment_succeeded": "тариф оплачен",
    "plan_canceled": "тариф отменён",
    "plan_changed": "тариф сменён",
    "plan_ended": "тариф закончился",
    "plan_ends": "тариф скоро закончится",
    "plan_extended": "добавлены дни",
    "price_changes": "цена меняется",
    "price_stays": "цена не изменится",
    "price_stopped": "продление закончено из-за цены",
    "quota_low": "писем осталось мало",
    "quota_spent": "письма закончились",
    "refund_failed": "возврат задерживается",
    "refunded": "деньги возвращены",
    "renewal_coming": "скоро списание",
    "renewal_failed": "продление не прошло",
    "renewal_stopped": "продление выключено",
    "renewed": "тариф продлён",
    "reset_password": "новый пароль",
}

_WORDS: Mapping[str, Callable[[Line, GatewayName], Told]] = {
    "created": _created,
    "consent": _consent,
    "credit": _credit,
    "superseded": _superseded,
    "attempt": _attempt,
    "replaced": _replaced,
    "event": _event,
    "call": _call,
    "move": _move,
    "period": _period,
    "extended": _extended,
    "revoked": _revoked,
    "refund": _refund,
    "refund_ended": _refund_ended,
    "receipt": _receipt,
    "case": _case,
    "case_closed": _case_closed,
    "act": _act,
    "told": _told,
}
