"""What a case means and what each decision about it will do, in an operator's words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from portal.admin.moments import day
from portal.admin.words import cell, word
from portal.billing.deciding import Look
from portal.gateways import declines
from portal.gateways.disputes import Dispute
from portal.models import Case, CaseChoice, CaseKind, PaymentPurpose
from portal.money import to_people

#: What happened, per kind.
MEANS: Mapping[CaseKind, str] = {
    CaseKind.UNKNOWN_PAYMENT: "Шлюз получил деньги, а заказа с таким номером у портала нет.",
    CaseKind.AMOUNT_MISMATCH: "Шлюз получил не ту сумму, что в заказе. Тариф не включён.",
    CaseKind.CURRENCY_MISMATCH: "Шлюз получил деньги в другой валюте. Тариф не включён.",
    CaseKind.ACCOUNT_MISMATCH: "За заказ заплатил не тот, кто его сделал. Тариф не включён.",
    CaseKind.SHOP_MISMATCH: "Шлюз рассказал о платеже чужого магазина.",
    CaseKind.TEST_MODE_MISMATCH: "Тестовый платёж по боевому заказу или наоборот. Тариф не включён.",
    CaseKind.GATEWAY_MISMATCH: "Деньги за заказ пришли через другой шлюз, чем тот, где он создан.",
    CaseKind.SECOND_CAPTURE: "За один заказ или период деньги взяты второй раз.",
    CaseKind.UNKNOWN_REFUND: "Шлюз вернул деньги по платежу, которого портал не знает.",
    CaseKind.REFUND_ABOVE_CAPTURE: "Шлюз вернул больше, чем было получено, или не ту сумму, что просили.",
    CaseKind.UNKNOWN_TOO_OLD: "Больше суток неизвестно, чем кончилась операция. Портал спрашивает дальше.",
    CaseKind.UNREADABLE: "Подписанное уведомление шлюза не удалось прочитать. Тело хранится как пришло.",
    CaseKind.REFUND_FAILED: "Возврат не прошёл: деньги остались у магазина, клиенту об этом написали.",
    CaseKind.RENEWAL_REFUSED: "Шлюз отклонил продление по вине магазина; карта клиента ни при чём.",
    CaseKind.NOTICE_UNSENT: "Письмо о списании не ушло, поэтому продление не списывается.",
    CaseKind.CHARGEBACK: "Банк клиента отозвал деньги у магазина.",
    CaseKind.DRIFT: "Сверка нашла расхождение между списком шлюза и нашим.",
}

#: The button.
BUTTONS: Mapping[CaseChoice, str] = {
    CaseChoice.GIVE_BACK: "Вернуть деньги",
    CaseChoice.ACCEPT: "Принять как оплату заказа",
    CaseChoice.DECLARE_FAILED: "Признать непрошедшим",
    CaseChoice.TRY_AGAIN: "Отправить ещё раз",
    CaseChoice.BY_HAND: "Возвращено вручную",
    CaseChoice.STOP: "Выключить продление",
    CaseChoice.RELEASE: "Списать без письма",
    CaseChoice.END_PLAN: "Закончить тариф",
    CaseChoice.WON: "Деньги у магазина",
    CaseChoice.CLOSE: "Закрыть с пометкой",
}

_FACTS: Mapping[str, str] = {
    "account": "Плательщик у шлюза",
    "amount": "Сумма",
    "booked": "Записано ушедшим",
    "bytes": "Байт",
    "captured": "Получено",
    "case": "Прежний случай",
    "code": "Код",
    "detail": "Что сказал шлюз",
    "dispute": "Номер спора",
    "due": "Списание было назначено",
    "event": "Уведомление №",
    "happened_at": "Когда",
    "note": "Что известно",
    "outcome": "Состояние у шлюза",
    "reference": "Номер заказа у шлюза",
    "refund": "Возврат у шлюза",
    "refund_id": "Возврат №",
    "refunded": "Возвращено",
    "shop": "Магазин",
    "source": "Кто просил",
    "subscription": "Подписка №",
    "test": "Тест",
    "transaction_id": "Номер заказа",
    "url_kind": "Адрес уведомления",
    "what": "Что сделал банк",
    "why": "Почему",
}
#: Facts that are sums, as they are written on the wire.
_SUMS = frozenset({"booked", "captured", "refunded"})
OUTCOMES = {
    "succeeded": "деньги получены",
    "authorized": "деньги удержаны",
    "failed": "отказ",
    "pending": "ждёт",
}


_BANK = {
    Dispute.TAKEN.value: "забрал деньги",
    Dispute.RETURNED.value: "вернул деньги магазину",
    Dispute.OTHER.value: "не сказано",
}


def means(case: Case) -> str:
    """What happened, in a sentence."""
    what = case.facts.get("what") if case.kind is CaseKind.CHARGEBACK else None
    if what == Dispute.RETURNED.value:
        return "Спор решён в пользу магазина: банк вернул деньги. Если тариф закончили, решите, что с ним."
    if what == Dispute.OTHER.value:
        return (
            "В списке чарджбэков CloudPayments — слово, которого нет в справочнике. Деньги портал не трогал: "
            "посмотрите спор в кабинете шлюза."
        )
    return MEANS[case.kind]


def facts(look: Look) -> list[tuple[str, Any]]:
    """What is known, in words; what has no words keeps its name."""
    case = look.case
    taken = to_people(case.amount, case.currency or "") if case.amount is not None else None
    left = to_people(look.left, case.currency or "") if CaseChoice.GIVE_BACK in look.choices else None
    ordered = look.payment and to_people(look.payment.amount, look.payment.currency)
    found = [
        ("Сумма у шлюза", taken),
        ("Сумма заказа", ordered),
        ("Можно вернуть", left),
        ("Шлюз", word(case.gateway).text),
        ("Номер у шлюза", case.gateway_payment_id),
    ]
    for name, value in case.facts.items():
        if value not in (None, ""):
            found.append((_label(name), _shown(name, value, case.currency or "RUB")))
    if code := case.facts.get("code"):
        found.append(("Что это значит", declines.explain(case.gateway.value, str(code)).message))
    return [(label, cell(value)) for label, value in found if value is not None]


def _label(name: str) -> str:
    return f"Комиссия за спор № {name[4:]}" if name.startswith("fee ") else _FACTS.get(name, name)


def _shown(name: str, value: Any, currency: str) -> Any:
    if name in _SUMS or name.startswith("fee "):
        return to_people(Decimal(str(value)), currency)
    if name == "outcome":
        return OUTCOMES.get(str(value), value)
    if name == "what":
        return _BANK.get(str(value), value)
    return day(datetime.fromisoformat(value)) if name == "happened_at" else value


def says(look: Look, choice: CaseChoice) -> tuple[str, ...]:
    """What a decision will do, a sentence each."""
    case = look.case
    money = to_people(case.amount, case.currency or "") if case.amount is not None else ""
    if choice is CaseChoice.ACCEPT:
        return _accepts(look, money)
    if choice is CaseChoice.DECLARE_FAILED:
        return _declares(look)
    if choice is CaseChoice.TRY_AGAIN and case.kind is CaseKind.REFUND_FAILED:
        return (f"Возврат {money} отправится заново, с новым ключом. Прежний останется непрошедшим.",)
    left = to_people(look.left, case.currency or "")
    return tuple(sentence.format(money=money, left=left) for sentence in _SAYS[choice])


_SAYS: Mapping[CaseChoice, tuple[str, ...]] = {
    CaseChoice.GIVE_BACK: (
        "Шлюз вернёт {left} туда, откуда они пришли.",
        "Заказ и тариф от этого не изменятся.",
    ),
    CaseChoice.TRY_AGAIN: ("Сохранённый способ оплаты будет списан сейчас: {money}.",),
    CaseChoice.BY_HAND: (
        "Портал запомнит, что {money} вернули мимо шлюза, и больше эту сумму вернуть не даст.",
        "У шлюза платёж останется невозвращённым; тариф не изменится.",
    ),
    CaseChoice.STOP: ("Списаний больше не будет, оплаченное доработает до конца. Клиенту уйдёт письмо.",),
    CaseChoice.RELEASE: ("Продление спишется сейчас, хотя письмо не ушло. Напишите, чем известили клиента.",),
    CaseChoice.END_PLAN: (
        "Период этого платежа перестанет действовать сразу, продление выключится.",
        "Деньги портал не возвращает: их уже забрал банк. Клиенту уйдёт письмо.",
    ),
    CaseChoice.WON: (
        "Записанное ушедшим перестанет таким считаться: банк вернул деньги магазину или не забирал их.",
        "Оно уйдёт из «Возвращено» и из реестра за тот день. Тариф не изменится.",
    ),
    CaseChoice.CLOSE: ("Ничего не изменится, случай уйдёт из очереди. Напишите, чем кончилось.",),
}


def _accepts(look: Look, money: str) -> tuple[str, ...]:
    assert look.payment is not None  # it is offered only then
    ordered = to_people(look.payment.amount, look.payment.currency)
    return (
        f"Заказ на {ordered} будет считаться оплаченным суммой {money}: её и можно будет вернуть.",
        f"Клиент получит «{look.payment.plan_title}» на полный срок, {look.payment.period_days} дн.",
        "Перед этим портал ещё раз спросит шлюз.",
    )


def _declares(look: Look) -> tuple[str, ...]:
    if look.payment is None or ":refund:" in look.case.dedupe_key:
        return (
            "Возврат будет считаться непрошедшим, и его можно будет отправить заново.",
            "Если прежний всё-таки пройдёт, деньги уйдут дважды. Сначала проверьте в кабинете шлюза.",
        )
    said = ["Платёж будет считаться непрошедшим. Сначала проверьте его в кабинете шлюза."]
    if look.payment.purpose is PaymentPurpose.RENEWAL:
        said.append("Продление пойдёт по расписанию дальше: карта может быть списана ещё раз.")
    said.append(
        "Если деньги окажутся взяты, портал узнает это из списка шлюза и включит тариф или откроет случай."
    )
    return tuple(said)
