"""Why a payment was refused: one table from the gateways' codes to what to do and what to say.

The codes: YooKassa's ``cancellation_details.reason``
(https://yookassa.ru/developers/payment-acceptance/after-the-payment/declined-payments) and CloudPayments'
``ReasonCode`` (https://developers.cloudpayments.ru/, "Коды ошибок"; 3001 to 3008 are a Check that was not
answered with 0). Beside them stand the codes that the portal itself writes down, the same for both gateways
(:mod:`portal.gateways.own_declines`). The sentences are for the customer; the action is for whoever charges a
saved method.
"""

from __future__ import annotations

from portal.gateways.own_declines import OURS, Action, Decline

__all__ = ["Action", "Decline", "explain"]


_RETRY, _CARD, _STOP, _OPERATOR = Action.RETRY_LATER, Action.ANOTHER_CARD, Action.STOP, Action.OPERATOR

# (action, YooKassa's reasons, CloudPayments' codes, Russian, English).
_TABLE: tuple[tuple[Action, str, str, str, str], ...] = (
    (
        _RETRY,
        "insufficient_funds",
        "5051",
        "На карте или счёте не хватило денег. Пополните счёт или оплатите другой картой.",
        "There was not enough money on the card or account. Top it up or pay with another card.",
    ),
    (
        _RETRY,
        "payment_method_limit_exceeded",
        "5065",
        "Превышен лимит операций по карте. Повторите оплату завтра или выберите другую карту.",
        "The card's limit of operations is used up. Pay tomorrow or choose another card.",
    ),
    (
        _CARD,
        "",
        "5061 5303",
        "Сумма больше лимита этой карты. Измените лимит в банке или оплатите другой картой.",
        "The amount is above this card's limit. Change the limit at your bank or pay with another card.",
    ),
    (
        _RETRY,
        "issuer_unavailable",
        "5091 5092",
        "Банк, выпустивший карту, сейчас не отвечает. Повторите оплату позже или выберите другую карту.",
        "The bank that issued the card is not answering. Try again later or choose another card.",
    ),
    (
        _RETRY,
        "internal_timeout rejected_by_timeout",
        "5096",
        "В платёжной системе сбой: деньги не списаны. Повторите попытку через несколько минут.",
        "The payment system failed and no money was taken. Try again in a few minutes.",
    ),
    (
        _RETRY,
        "call_issuer general_decline unknown",
        "5019 5204 5300",
        "Банк отклонил оплату без объяснений. Повторите позже, выберите другую карту или позвоните в банк.",
        "The bank refused the payment without a reason. Try later, choose another card or call your bank.",
    ),
    (
        _STOP,
        "",
        "5001 5003 5005",
        "Банк отклонил оплату этой картой. Выберите другую карту или позвоните в банк, который её выпустил.",
        "The bank refused to pay with this card. Choose another card or call the bank that issued it.",
    ),
    (
        _STOP,
        "permission_revoked",
        "5017",
        (
            "Разрешение на автоматические списания отозвано, поэтому оплата не прошла. "
            "Чтобы продолжить, оплатите заново."
        ),
        "The permission for automatic payments was withdrawn, so nothing was paid. To go on, pay again.",
    ),
    (
        _STOP,
        "card_expired",
        "5054",
        "Срок действия карты истёк или указан неверно. Проверьте его или оплатите другой картой.",
        "The card has expired or its date was entered wrongly. Check the date or pay with another card.",
    ),
    (
        _STOP,
        "payment_method_restricted",
        "5004 5007 5033 5036 5041 5043 5062",
        "Карта заблокирована, платежи по ней запрещены. Оплатите другой картой или обратитесь в свой банк.",
        "The card is blocked and cannot be used for payments. Pay with another card or contact your bank.",
    ),
    (
        _STOP,
        "",
        "5012 5057 5058",
        "Этой картой нельзя платить в интернете. Разрешите такие платежи в банке или выберите другую карту.",
        "This card may not be used for payments online. Allow them at your bank or choose another card.",
    ),
    (
        _STOP,
        "invalid_card_number",
        "5014",
        "Номер карты указан неверно. Проверьте номер или оплатите другой картой.",
        "The card number is wrong. Check the number or pay with another card.",
    ),
    (
        _STOP,
        "country_forbidden",
        "5015 5031 5113",
        "Карты этого банка или страны здесь не принимаются. Оплатите другой картой.",
        "Cards of this bank or country are not accepted here. Pay with another card.",
    ),
    (
        _STOP,
        "",
        "5034 5059",
        "Банк счёл платёж подозрительным и отклонил его. Обратитесь в банк или оплатите другой картой.",
        "The bank found the payment suspicious and refused it. Contact your bank or pay with another card.",
    ),
    (
        _CARD,
        "fraud_suspected",
        "5063",
        "Платёж остановлен проверкой безопасности. Оплатите другой картой или обратитесь в свой банк.",
        "A security check stopped the payment. Pay with another card or contact your bank.",
    ),
    (
        _CARD,
        "3d_secure_failed",
        "5206 5207",
        "Банк не подтвердил, что платите вы. Пройдите проверку по коду ещё раз или оплатите другой картой.",
        "The bank could not confirm that it is you. Pass the code check again or pay with another card.",
    ),
    (
        _CARD,
        "invalid_csc",
        "5006 5055 5082",
        "Код безопасности или данные карты указаны неверно. Проверьте их и повторите оплату.",
        "The security code or the card's data are wrong. Check them and pay again.",
    ),
    (
        _CARD,
        "identification_required",
        "",
        "Превышены лимиты вашего кошелька ЮMoney. Пройдите в нём идентификацию или оплатите картой.",
        "Your YooMoney wallet is over its limits. Identify yourself in the wallet or pay by card.",
    ),
    (
        _CARD,
        "unsupported_mobile_operator",
        "5761 5762 5763",
        "С этим номером телефона оплатить нельзя. Проверьте номер или выберите другой способ оплаты.",
        "This phone number cannot be used to pay. Check the number or choose another way to pay.",
    ),
    (
        _CARD,
        "loan_declined loan_declined_by_payer loan_application_expired",
        "",
        "Оплата в кредит или частями не оформлена. Выберите другой способ оплаты.",
        "The loan or instalment plan was not arranged. Choose another way to pay.",
    ),
    (
        _CARD,
        "expired_on_confirmation expired",
        "3004 expired",
        "Время на оплату вышло, деньги не списаны. Начните оплату заново.",
        "The time to pay ran out and no money was taken. Start the payment again.",
    ),
    (
        _CARD,
        "",
        "6001",
        "Банк не привязал счёт для следующих оплат. Оплатите картой или через другой банк.",
        "The bank did not link the account for later payments. Pay by card or through another bank.",
    ),
    (
        _STOP,
        "method_gone",
        "6010 6011 6025 method_gone",
        "Сохранённый способ оплаты больше не действует. Оплатите заново и сохраните карту или счёт ещё раз.",
        "The saved payment method no longer works. Pay again and save the card or account once more.",
    ),
    (
        _OPERATOR,
        "",
        "3001 3002 3003 3005 3006 3007 3008",
        "Магазин не подтвердил этот платёж, деньги не списаны. Обновите страницу и начните оплату заново.",
        "The shop did not accept this payment and no money was taken. Reload the page and start again.",
    ),
    (
        _OPERATOR,
        "canceled_by_merchant expired_on_capture deal_expired",
        "",
        "Магазин отменил этот платёж, деньги вернутся на карту. Начните оплату заново или напишите нам.",
        "The shop canceled this payment; the money goes back to the card. Start again or write to us.",
    ),
    (
        _OPERATOR,
        "",
        "5013 5030 6002 6003 6004 6005 6006 6007 6008 6009 6013 6014 6015 6016 6017 6021 6022",
        "Из-за нашей ошибки оплата не прошла, деньги не списаны. Мы разбираемся; напишите нам.",
        "The payment failed through our own fault and no money was taken. We are on it; please write to us.",
    ),
)

_GENERAL_RU = (
    "Оплата не прошла, деньги не списаны. Повторите попытку позже, выберите другую карту или напишите нам."
)
_GENERAL_EN = "The payment failed and no money was taken. Try later, choose another card or write to us."


def _by_code(column: int) -> dict[str, Decline]:
    """One gateway's column of the table."""
    known: dict[str, Decline] = {}
    for row in _TABLE:
        for code in str(row[column]).split():
            assert code not in known, code
            known[code] = Decline(code, row[0], row[3], row[4])
    return known | {decline.code or "": decline for decline in OURS if decline.code not in known}


_KNOWN = {"yookassa": _by_code(1), "cloudpayments": _by_code(2)}


def explain(gateway: str, code: str | None) -> Decline:
    """Say what a refusal means. A code that nobody has heard of, or none, may be tried again later."""
    found = _KNOWN.get(gateway, {}).get(code or "")
    return found or Decline(code, Action.RETRY_LATER, _GENERAL_RU, _GENERAL_EN, known=False)


def codes_with(words: str) -> list[str]:
    """The codes of both gateways, and ours, whose Russian sentence has these words."""
    wanted = words.lower()
    known = [decline for table in _KNOWN.values() for decline in table.values()]
    return sorted({one.code or "" for one in known if wanted in one.message_ru.lower()})
