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
from portal.wording import marked

__all__ = ["Action", "Decline", "explain"]


_RETRY, _CARD, _STOP, _OPERATOR = Action.RETRY_LATER, Action.ANOTHER_CARD, Action.STOP, Action.OPERATOR

# (action, YooKassa's reasons, CloudPayments' codes, the sentence).
_TABLE: tuple[tuple[Action, str, str, str], ...] = (
    (
        _RETRY,
        "insufficient_funds",
        "5051",
        marked("На карте или счёте не хватило денег. Пополните счёт или оплатите другой картой."),
    ),
    (
        _RETRY,
        "payment_method_limit_exceeded",
        "5065",
        marked("Превышен лимит операций по карте. Повторите оплату завтра или выберите другую карту."),
    ),
    (
        _CARD,
        "",
        "5061 5303",
        marked("Сумма больше лимита этой карты. Измените лимит в банке или оплатите другой картой."),
    ),
    (
        _RETRY,
        "issuer_unavailable",
        "5091 5092",
        marked(
            "Банк, выпустивший карту, сейчас не отвечает. Повторите оплату позже или выберите другую карту."
        ),
    ),
    (
        _RETRY,
        "internal_timeout rejected_by_timeout",
        "5096",
        marked("В платёжной системе сбой: деньги не списаны. Повторите попытку через несколько минут."),
    ),
    (
        _RETRY,
        "call_issuer general_decline unknown",
        "5019 5204 5300",
        marked(
            "Банк отклонил оплату без объяснений. Повторите позже, выберите другую карту или "
            "позвоните в банк."
        ),
    ),
    (
        _STOP,
        "",
        "5001 5003 5005",
        marked(
            "Банк отклонил оплату этой картой. Выберите другую карту или позвоните в банк, "
            "который её выпустил."
        ),
    ),
    (
        _STOP,
        "permission_revoked",
        "5017",
        marked(
            "Разрешение на автоматические списания отозвано, поэтому оплата не прошла. Чтобы "
            "продолжить, оплатите заново."
        ),
    ),
    (
        _STOP,
        "card_expired",
        "5054",
        marked("Срок действия карты истёк или указан неверно. Проверьте его или оплатите другой картой."),
    ),
    (
        _STOP,
        "payment_method_restricted",
        "5004 5007 5033 5036 5041 5043 5062",
        marked(
            "Карта заблокирована, платежи по ней запрещены. Оплатите другой картой или обратитесь "
            "в свой банк."
        ),
    ),
    (
        _STOP,
        "",
        "5012 5057 5058",
        marked(
            "Этой картой нельзя платить в интернете. Разрешите такие платежи в банке или выберите "
            "другую карту."
        ),
    ),
    (
        _STOP,
        "invalid_card_number",
        "5014",
        marked("Номер карты указан неверно. Проверьте номер или оплатите другой картой."),
    ),
    (
        _STOP,
        "country_forbidden",
        "5015 5031 5113",
        marked("Карты этого банка или страны здесь не принимаются. Оплатите другой картой."),
    ),
    (
        _STOP,
        "",
        "5034 5059",
        marked(
            "Банк счёл платёж подозрительным и отклонил его. Обратитесь в банк или оплатите другой картой."
        ),
    ),
    (
        _CARD,
        "fraud_suspected",
        "5063",
        marked(
            "Платёж остановлен проверкой безопасности. Оплатите другой картой или обратитесь в свой банк."
        ),
    ),
    (
        _CARD,
        "3d_secure_failed",
        "5206 5207",
        marked(
            "Банк не подтвердил, что платите вы. Пройдите проверку по коду ещё раз или оплатите "
            "другой картой."
        ),
    ),
    (
        _CARD,
        "invalid_csc",
        "5006 5055 5082",
        marked("Код безопасности или данные карты указаны неверно. Проверьте их и повторите оплату."),
    ),
    (
        _CARD,
        "identification_required",
        "",
        marked("Превышены лимиты вашего кошелька ЮMoney. Пройдите в нём идентификацию или оплатите картой."),
    ),
    (
        _CARD,
        "unsupported_mobile_operator",
        "5761 5762 5763",
        marked("С этим номером телефона оплатить нельзя. Проверьте номер или выберите другой способ оплаты."),
    ),
    (
        _CARD,
        "loan_declined loan_declined_by_payer loan_application_expired",
        "",
        marked("Оплата в кредит или частями не оформлена. Выберите другой способ оплаты."),
    ),
    (
        _CARD,
        "expired_on_confirmation expired",
        "3004 expired",
        marked("Время на оплату вышло, деньги не списаны. Начните оплату заново."),
    ),
    (
        _CARD,
        "",
        "6001",
        marked("Банк не привязал счёт для следующих оплат. Оплатите картой или через другой банк."),
    ),
    (
        _STOP,
        "method_gone",
        "6010 6011 6025 method_gone",
        marked(
            "Сохранённый способ оплаты больше не действует. Оплатите заново и сохраните карту или "
            "счёт ещё раз."
        ),
    ),
    (
        _OPERATOR,
        "",
        "3001 3002 3003 3005 3006 3007 3008",
        marked(
            "Магазин не подтвердил этот платёж, деньги не списаны. Обновите страницу и начните оплату заново."
        ),
    ),
    (
        _OPERATOR,
        "canceled_by_merchant expired_on_capture deal_expired",
        "",
        marked(
            "Магазин отменил этот платёж, деньги вернутся на карту. Начните оплату заново или напишите нам."
        ),
    ),
    (
        _OPERATOR,
        "",
        "5013 5030 6002 6003 6004 6005 6006 6007 6008 6009 6013 6014 6015 6016 6017 6021 6022",
        marked("Из-за нашей ошибки оплата не прошла, деньги не списаны. Мы разбираемся; напишите нам."),
    ),
)

_GENERAL = marked(
    "Оплата не прошла, деньги не списаны. Повторите попытку позже, выберите другую карту или напишите нам."
)


def _by_code(column: int) -> dict[str, Decline]:
    """One gateway's column of the table."""
    known: dict[str, Decline] = {}
    for row in _TABLE:
        for code in str(row[column]).split():
            assert code not in known, code
            known[code] = Decline(code, row[0], row[3])
    return known | {decline.code or "": decline for decline in OURS if decline.code not in known}


_KNOWN = {"yookassa": _by_code(1), "cloudpayments": _by_code(2)}


def explain(gateway: str, code: str | None) -> Decline:
    """Say what a refusal means. A code that nobody has heard of, or none, may be tried again later."""
    found = _KNOWN.get(gateway, {}).get(code or "")
    return found or Decline(code, Action.RETRY_LATER, _GENERAL, known=False)


def codes_with(words: str) -> list[str]:
    """The codes of both gateways, and ours, whose Russian sentence has these words."""
    wanted = words.lower()
    known = [decline for table in _KNOWN.values() for decline in table.values()]
    return sorted({one.code or "" for one in known if wanted in one.sentence.lower()})
