"""What came of a notification, in Russian: the log and the database keep it in the words of the code."""

from __future__ import annotations

import re
from collections.abc import Mapping

from portal.admin.words import word
from portal.models import CaseKind, PaymentStatus

_WORDS: Mapping[str, str] = {
    "succeeded": "деньги получены",
    "authorized": "деньги удержаны",
    "failed": "отказ записан",
    "pending": "ещё не решено",
    "already succeeded": "уже оплачен",
    "created after all": "заказ всё-таки создан",
    "failed again": "отклонён ещё раз",
    "a refusal of another attempt": "отказ другой попытки того же заказа",
    "a refusal of an unknown order": "отказ по заказу, которого у нас нет",
    "a refusal of an order at another gateway": "отказ по заказу другого шлюза",
    "refund booked": "возврат записан",
    "refund already booked": "возврат уже записан",
    "refund above the captured sum": "возврат больше полученного",
    "refund before its payment": "возврат пришёл раньше оплаты, ждёт её",
    "refund of an unknown payment": "возврат по неизвестному платежу",
    "refund of another capture": "возврат других денег этого заказа",
    "refund of money that is a case": "возврат денег, о которых уже есть случай",
    "no such successful refund at YooKassa": "ЮKassa такого возврата не знает",
    "YooKassa knows no such payment": "ЮKassa такого платежа не знает",
    "our order is at another gateway": "наш заказ в другом шлюзе",
    "not an order of ours": "это не наш заказ",
    "not a binding of ours": "это не наша привязка карты",
    "method saved": "способ оплаты сохранён",
    "binding after the account was closed": "карта не сохранена: клиент закрыл аккаунт",
    "binding failed": "карту сохранить не удалось",
    "binding still pending": "привязка карты ещё не решена",
    "receipt kept": "чек записан",
    "confirm before its hold": "списание пришло раньше удержания, ждёт его",
    "cancel before its hold": "отмена пришла раньше удержания, ждёт его",
    "cancel of an unknown payment": "отмена неизвестного платежа",
    **{kind.value: word(kind).text for kind in CaseKind},
}
#: What ends with a word of the code's own, a state of the payment among them.
_BEGINNINGS: Mapping[str, str] = {
    "a refusal after it": "отказ, когда платёж уже {}",
    "already": "уже {}",
    "still": "по-прежнему {}",
    "cancel while it": "отмена, когда платёж {}",
    "binding already": "привязка карты уже закончена: {}",
    "binding:": "привязка карты не сходится: {}",
    "pay with status": "уведомление Pay с состоянием {}",
    "confirm with status": "уведомление Confirm с состоянием {}",
    "pay that is a": "уведомление Pay об операции {}",
    "CloudPayments' own subscription is": "подписка самого CloudPayments: {}",
}
_STRANGE_EVENT = re.compile("event (.*) is not ours")


def verdict(text: str) -> str:
    """The sentence for what the code says; what has none stays as it is."""
    if text in _WORDS:
        return _WORDS[text]
    if found := _STRANGE_EVENT.fullmatch(text):
        return f"событие «{found[1]}» нас не касается"
    for begins, says in _BEGINNINGS.items():
        rest = text.removeprefix(f"{begins} ")
        if rest != text:
            return says.format(word(PaymentStatus(rest)).text if rest in set(PaymentStatus) else rest)
    return text
