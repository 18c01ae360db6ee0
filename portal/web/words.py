"""What the dashboard says of each kind of notice: a table from the kind to a title and a sentence.

What has no words here is a letter's alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from portal.models import Notification
from portal.web import filters

#: How good the news is (good, wait, bad, info), the title and the sentence.
Words = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Told:
    """One notice as the dashboard shows it."""

    kind: str
    title: str
    text: str
    notification: Notification


def told(notification: Notification) -> Told | None:
    """The words of a notice, ``None`` for what is told by letters only."""
    words = _WORDS.get(notification.kind)
    return Told(*words(notification.facts), notification) if words else None


def _money(facts: Mapping[str, Any]) -> str:
    return filters.money(facts["amount"], facts["currency"])


def _payment_succeeded(facts: Mapping[str, Any]) -> Words:
    until = f", действует до {filters.day(facts['ends_at'])}" if facts.get("ends_at") else ""
    return "good", f"Тариф «{facts['plan_title']}» оплачен", _money(facts) + until


def _payment_failed(facts: Mapping[str, Any]) -> Words:
    why = filters.decline(facts.get("failure_code"), facts["gateway"])
    return "bad", f"Платёж {_money(facts)} не прошёл", why


def _refunded(facts: Mapping[str, Any]) -> Words:
    part = "Вся сумма" if facts["whole"] else "Часть суммы"
    plan = "тариф отключён" if facts.get("ended", facts["whole"]) else "тариф действует"
    return "info", f"Возврат {_money(facts)}", f"«{facts['plan_title']}». {part}; {plan}."


def _refund_failed(facts: Mapping[str, Any]) -> Words:
    text = f"«{facts['plan_title']}». Платёжная система его не провела, мы разбираемся."
    return "bad", f"Возврат {_money(facts)} задерживается", text


def _plan_canceled(facts: Mapping[str, Any]) -> Words:
    sums = " и ".join(filters.money(one["amount"], one["currency"]) for one in facts["sums"])
    text = f"Вернём {sums} тем же способом, которым вы платили." if sums else "Списаний больше не будет."
    return "info", f"Тариф «{facts['plan_title']}» отменён", text


def _renewal_coming(facts: Mapping[str, Any]) -> Words:
    title = f"{filters.day(facts['charge_at'])} спишем {_money(facts)}"
    text = f"Продление тарифа «{facts['plan_title']}», {facts['method']}. Его можно отключить до списания."
    return "info", title, text


def _renewed(facts: Mapping[str, Any]) -> Words:
    until = f", действует до {filters.day(facts['ends_at'])}" if facts.get("ends_at") else ""
    return "good", f"Тариф «{facts['plan_title']}» продлён", f"Списали {_money(facts)}{until}"


def _renewal_failed(facts: Mapping[str, Any]) -> Words:
    why = filters.decline(facts.get("failure_code"), facts["gateway"])
    again = facts.get("next_try_at")
    then = f"Попробуем ещё раз {filters.moment(again)}." if again else "Сами больше пробовать не будем."
    return "bad", f"Не удалось продлить тариф «{facts['plan_title']}»", f"{why} {then}"


def _plan_ends(facts: Mapping[str, Any]) -> Words:
    text = "Сам он не продлится, и ничего не спишется."
    return "wait", f"Тариф «{facts['plan_title']}» действует до {filters.moment(facts['ends_at'])}", text


def _plan_ended(facts: Mapping[str, Any]) -> Words:
    text = f"{filters.moment(facts['ended_at'])}. Письма больше не отправляются, списаний не будет."
    return "wait", f"Тариф «{facts['plan_title']}» закончился", text


def _plan_extended(facts: Mapping[str, Any]) -> Words:
    title = f"Добавили {filters.days(facts['days'])} к тарифу «{facts['plan_title']}»"
    return "good", title, f"Действует до {filters.moment(facts['ends_at'])}."


def _price_changes(facts: Mapping[str, Any]) -> Words:
    title = f"С {filters.day(facts['moves_at'])} тариф «{facts['plan_title']}» стоит {_money(facts)}"
    if facts["raised"]:
        text = "Без вашего согласия новая цена не спишется: продление тогда просто закончится."
        return "wait", title, text
    return "good", title, "Это меньше, чем вы платите сейчас. Делать ничего не нужно."


def _price_stays(facts: Mapping[str, Any]) -> Words:
    old = filters.money(facts["old_amount"], facts["currency"])
    return "good", f"Цена тарифа «{facts['plan_title']}» не изменится", f"Вы, как и прежде, платите {old}."


def _price_stopped(facts: Mapping[str, Any]) -> Words:
    text = f"На новую цену, {_money(facts)}, вы не соглашались, и она не спишется."
    return "wait", f"Тариф «{facts['plan_title']}» больше не продлевается", text


def _renewal_stopped(facts: Mapping[str, Any]) -> Words:
    text = f"Поддержка выключила автопродление. Тариф действует до {filters.moment(facts['ends_at'])}."
    return "info", f"Тариф «{facts['plan_title']}» больше не продлевается", text


def _card_expires(facts: Mapping[str, Any]) -> Words:
    charge = facts.get("charge_at")
    text = f"Действует по {facts['month']}. " + (
        f"Следующее списание — {filters.day(charge)}: добавьте другую карту."
        if charge
        else "Чтобы тариф продлевался и дальше, добавьте другую карту."
    )
    return "wait", f"Скоро закончится срок карты {facts['method']}", text


def _plan_changed(facts: Mapping[str, Any]) -> Words:
    plan = f"«{facts['plan_title']}»"
    if facts["what"] == "now":
        paid = f"Заплачено {_money(facts)}, зачтено {filters.money(facts['credit'], facts['currency'])}."
        return "good", f"Вы перешли на тариф {plan}", f"{paid} Действует до {filters.day(facts['ends_at'])}."
    if facts["what"] == "restored":
        text = f"Деньги за «{facts['old_title']}» вернулись. Действует до {filters.day(facts['ends_at'])}."
        return "info", f"Снова действует тариф {plan}", text
    if facts["what"] == "stays":
        return "info", f"Тариф {plan} остаётся", f"Следующее продление: {_money(facts)}."
    text = (
        f"Тариф «{facts['old_title']}» действует до конца оплаченного срока. За новый спишем {_money(facts)}."
    )
    return "info", f"С {filters.day(facts['starts_at'])} — тариф {plan}", text


def _change_returned(facts: Mapping[str, Any]) -> Words:
    text = f"Менять тариф на «{facts['plan_title']}» было уже поздно: прежнего нет. Деньги вернутся целиком."
    return "info", f"Вернём {_money(facts)}", text


def _quota_low(facts: Mapping[str, Any]) -> Words:
    title = f"Использовано {facts['percent']}{filters.NBSP}% писем: тариф «{facts['plan_title']}»"
    left = f"Осталось {filters.letters(facts['emails_left'])} до {filters.day(facts['ends_at'])}."
    return "wait", title, f"{left} {_more_letters(facts)}"


def _quota_spent(facts: Mapping[str, Any]) -> Words:
    title = f"Письма закончились: тариф «{facts['plan_title']}»"
    return "bad", title, f"Отправка остановлена. {_more_letters(facts)}"


def _more_letters(facts: Mapping[str, Any]) -> str:
    """When there will be more."""
    if not facts["next_starts_at"]:
        return "Новые появятся со следующим оплаченным сроком."
    return f"{filters.letters(facts['next_emails'])} добавятся {filters.moment(facts['next_starts_at'])}."


_WORDS: Mapping[str, Callable[[Mapping[str, Any]], Words]] = {
    "payment_succeeded": _payment_succeeded,
    "payment_failed": _payment_failed,
    "refunded": _refunded,
    "refund_failed": _refund_failed,
    "plan_canceled": _plan_canceled,
    "renewal_coming": _renewal_coming,
    "renewed": _renewed,
    "renewal_failed": _renewal_failed,
    "plan_ends": _plan_ends,
    "plan_ended": _plan_ended,
    "card_expires": _card_expires,
    "price_changes": _price_changes,
    "price_stays": _price_stays,
    "price_stopped": _price_stopped,
    "plan_extended": _plan_extended,
    "renewal_stopped": _renewal_stopped,
    "plan_changed": _plan_changed,
    "change_returned": _change_returned,
    "quota_low": _quota_low,
    "quota_spent": _quota_spent,
}
