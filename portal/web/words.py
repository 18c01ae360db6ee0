"""What the dashboard says of each kind of notice: a table from the kind to a title and a sentence.

What has no words here is a letter's alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from portal import written
from portal.gateways import declines
from portal.models import Notification
from portal.web import filters
from portal.wording import say, say_many

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
    return written.money(facts["amount"], facts["currency"])


def _why(facts: Mapping[str, Any]) -> str:
    return declines.explain(facts["gateway"], facts.get("failure_code") or "unknown").whole


def _payment_succeeded(facts: Mapping[str, Any]) -> Words:
    title = say("Тариф «%(title)s» оплачен", title=facts["plan_title"])
    if not facts.get("ends_at"):
        return "good", title, say("Получили %(sum)s.", sum=_money(facts))
    until = written.day(facts["ends_at"])
    return "good", title, say("Получили %(sum)s, тариф действует до %(end)s.", sum=_money(facts), end=until)


def _payment_failed(facts: Mapping[str, Any]) -> Words:
    return "bad", say("Платёж %(sum)s не прошёл", sum=_money(facts)), _why(facts)


def _refunded(facts: Mapping[str, Any]) -> Words:
    whole, plan = facts["whole"], facts["plan_title"]
    if whole:
        text = say("Вернули всю сумму за «%(title)s», тариф отключён.", title=plan)
    elif facts.get("ended"):
        text = say("Вернули часть суммы за «%(title)s», тариф отключён.", title=plan)
    else:
        text = say("Вернули часть суммы за «%(title)s», тариф действует.", title=plan)
    return "info", say("Возврат %(sum)s", sum=_money(facts)), text


def _refund_failed(facts: Mapping[str, Any]) -> Words:
    text = say(
        "Платёжная система не провела возврат за «%(title)s». Мы разбираемся и вернём деньги, "
        "делать ничего не нужно.",
        title=facts["plan_title"],
    )
    return "bad", say("Возврат %(sum)s задерживается", sum=_money(facts)), text


def _plan_canceled(facts: Mapping[str, Any]) -> Words:
    sums = " + ".join(written.money(one["amount"], one["currency"]) for one in facts["sums"])
    if sums:
        text = say("Вернём %(sum)s тем же способом, которым вы платили.", sum=sums)
    elif facts.get("bank_took_it"):
        text = say("Ваш банк вернул вам деньги за него. Списаний больше не будет.")
    else:
        text = say("Списаний больше не будет.")
    titles = facts.get("plan_titles") or [facts["plan_title"]]  # as it was written before
    names = written.quoted(titles)
    title = say_many("Тариф %(titles)s отменён", "Тарифы %(titles)s отменены", len(titles), titles=names)
    return "info", title, text


def _renewal_coming(facts: Mapping[str, Any]) -> Words:
    title = say("%(day)s спишем %(sum)s", day=written.day(facts["charge_at"]), sum=_money(facts))
    text = say(
        "Продление тарифа «%(title)s», %(method)s. Его можно отключить до списания.",
        title=facts["plan_title"],
        method=filters.means(facts["method"]),
    )
    return "info", title, text


def _renewed(facts: Mapping[str, Any]) -> Words:
    title = say("Тариф «%(title)s» продлён", title=facts["plan_title"])
    if not facts.get("ends_at"):
        return "good", title, say("Списали %(sum)s.", sum=_money(facts))
    until = written.day(facts["ends_at"])
    return "good", title, say("Списали %(sum)s, тариф действует до %(end)s.", sum=_money(facts), end=until)


def _renewal_failed(facts: Mapping[str, Any]) -> Words:
    why, again = _why(facts), facts.get("next_try_at")
    if again:
        text = say("%(why)s Попробуем ещё раз %(when)s.", why=why, when=written.moment(again))
    else:
        text = say("%(why)s Сами больше пробовать не будем.", why=why)
    return "bad", say("Не удалось продлить тариф «%(title)s»", title=facts["plan_title"]), text


def _plan_ends(facts: Mapping[str, Any]) -> Words:
    end = written.moment(facts["ends_at"])
    title = say("Тариф «%(title)s» действует до %(end)s", title=facts["plan_title"], end=end)
    return "wait", title, say("Сам он не продлится, и ничего не спишется.")


def _plan_ended(facts: Mapping[str, Any]) -> Words:
    end = written.moment(facts["ended_at"])
    text = say("Срок вышел %(end)s. Ваши письма больше не отправляются, списаний не будет.", end=end)
    return "wait", say("Тариф «%(title)s» закончился", title=facts["plan_title"]), text


def _plan_extended(facts: Mapping[str, Any]) -> Words:
    plan, days = facts["plan_title"], written.days(facts["days"])
    title = say("Добавили %(days)s к тарифу «%(title)s»", days=days, title=plan)
    text = say(
        "Теперь он действует до %(end)s. Платить за это не нужно.", end=written.moment(facts["ends_at"])
    )
    return "good", title, text


def _price_changes(facts: Mapping[str, Any]) -> Words:
    title = say(
        "С %(day)s тариф «%(title)s» стоит %(sum)s",
        day=written.day(facts["moves_at"]),
        title=facts["plan_title"],
        sum=_money(facts),
    )
    if facts["raised"]:
        text = say("Без вашего согласия новая цена не спишется: продление тогда просто закончится.")
        return "wait", title, text
    return "good", title, say("Это меньше, чем вы платите сейчас. Делать ничего не нужно.")


def _price_stays(facts: Mapping[str, Any]) -> Words:
    old = written.money(facts["old_amount"], facts["currency"])
    title = say("Цена тарифа «%(title)s» не изменится", title=facts["plan_title"])
    return "good", title, say("Вы, как и прежде, платите %(sum)s.", sum=old)


def _price_stopped(facts: Mapping[str, Any]) -> Words:
    text = say("На новую цену, %(sum)s, вы не соглашались, и она не спишется.", sum=_money(facts))
    return "wait", say("Тариф «%(title)s» больше не продлевается", title=facts["plan_title"]), text


def _renewal_stopped(facts: Mapping[str, Any]) -> Words:
    text = say(
        "Поддержка отключила продление, списаний больше не будет. Тариф действует до %(end)s.",
        end=written.moment(facts["ends_at"]),
    )
    return "info", say("Тариф «%(title)s» больше не продлевается", title=facts["plan_title"]), text


def _card_expires(facts: Mapping[str, Any]) -> Words:
    title = say("Скоро закончится срок карты: %(method)s", method=filters.means(facts["method"]))
    charge, month = facts.get("charge_at"), facts["month"]
    if charge:
        text = say(
            "Карта действует по %(month)s. Следующее списание — %(day)s: добавьте другую карту.",
            month=month,
            day=written.day(charge),
        )
    else:
        text = say(
            "Карта действует по %(month)s. Чтобы тариф продлевался и дальше, добавьте другую.", month=month
        )
    return "wait", title, text


def _plan_changed(facts: Mapping[str, Any]) -> Words:
    return _CHANGES[facts["what"]](facts)


def _changed_now(facts: Mapping[str, Any]) -> Words:
    text = say(
        "Заплачено %(sum)s, зачтено %(credit)s. Тариф действует до %(end)s.",
        sum=_money(facts),
        credit=written.money(facts["credit"], facts["currency"]),
        end=written.day(facts["ends_at"]),
    )
    return "good", say("Вы перешли на тариф «%(title)s»", title=facts["plan_title"]), text


def _change_restored(facts: Mapping[str, Any]) -> Words:
    text = say(
        "Деньги за переход на «%(old)s» вернулись. Тариф действует до %(end)s.",
        old=facts["old_title"],
        end=written.day(facts["ends_at"]),
    )
    return "info", say("Снова действует тариф «%(title)s»", title=facts["plan_title"]), text


def _change_dropped(facts: Mapping[str, Any]) -> Words:
    text = say("Следующее продление: %(sum)s.", sum=_money(facts))
    return "info", say("Тариф «%(title)s» остаётся", title=facts["plan_title"]), text


def _change_scheduled(facts: Mapping[str, Any]) -> Words:
    text = say(
        "Тариф «%(old)s» действует до конца оплаченного срока. За новый спишем %(sum)s.",
        old=facts["old_title"],
        sum=_money(facts),
    )
    day, plan = written.day(facts["starts_at"]), facts["plan_title"]
    return "info", say("С %(day)s — тариф «%(title)s»", day=day, title=plan), text


def _change_returned(facts: Mapping[str, Any]) -> Words:
    text = say(
        "Менять тариф на «%(title)s» было уже поздно: прежнего нет. Деньги вернутся целиком.",
        title=facts["plan_title"],
    )
    return "info", say("Вернём %(sum)s", sum=_money(facts)), text


def _quota_low(facts: Mapping[str, Any]) -> Words:
    title = say(
        "Использовано %(percent)s писем: тариф «%(title)s»",
        percent=written.percent(facts["percent"]),
        title=facts["plan_title"],
    )
    text = say(
        "Осталось %(left)s до %(end)s. %(more)s",
        left=written.letters(facts["emails_left"]),
        end=written.day(facts["ends_at"]),
        more=_more_letters(facts),
    )
    return "wait", title, text


def _quota_spent(facts: Mapping[str, Any]) -> Words:
    title = say("Письма закончились: тариф «%(title)s»", title=facts["plan_title"])
    return "bad", title, say("Отправка остановлена. %(more)s", more=_more_letters(facts))


def _more_letters(facts: Mapping[str, Any]) -> str:
    """When there will be more."""
    if not facts["next_starts_at"]:
        return say("Новые появятся со следующим оплаченным сроком.")
    count = facts["next_emails"]
    return say_many(
        "%(num)s письмо добавится %(when)s.",
        "%(num)s писем добавятся %(when)s.",
        count,
        written.number(count),
        when=written.moment(facts["next_starts_at"]),
    )


_CHANGES: Mapping[str, Callable[[Mapping[str, Any]], Words]] = {
    "now": _changed_now,
    "restored": _change_restored,
    "stays": _change_dropped,
    "scheduled": _change_scheduled,
}

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
