"""How a means of payment is named to a person, the same for both gateways."""

from __future__ import annotations

import re

from portal.wording import marked

MIR = marked("Мир")
CARD = marked("Карта")

_BRANDS = {
    "visa": "Visa",
    "mastercard": "Mastercard",
    "maestro": "Maestro",
    "mir": MIR,
    "мир": MIR,
    "unionpay": "UnionPay",
    "jcb": "JCB",
    "americanexpress": "American Express",
    "dinersclub": "Diners Club",
}

# The kinds are YooKassa's words (payment_method.type); CloudPayments' names are mapped to them in its own
# room.
KINDS = {
    "bank_card": marked("Банковская карта"),
    "sbp": marked("СБП"),
    "sberbank": "SberPay",
    "tinkoff_bank": "T-Pay",
    "yoo_money": marked("ЮMoney"),
    "alfa_pay": "Alfa Pay",
    "mobile_balance": marked("Баланс телефона"),
    "cash": marked("Наличные"),
    "b2b_sberbank": marked("СберБизнес"),
    "sber_loan": marked("Кредит СберБанка"),
    "sber_bnpl": marked("Плати частями"),
    "electronic_certificate": marked("Электронный сертификат"),
}

#: What a kept name may begin with, and is read in another language.
WORDS = (MIR, CARD, *KINDS.values())


def brand_title(card_type: object) -> str | None:
    """The payment system as people write it, whatever the spelling on the wire ("MIR", "MasterCard");
    ``None`` when unsaid.
    """
    if not isinstance(card_type, str) or not card_type.strip() or card_type == "Unknown":
        return None
    return _BRANDS.get(card_type.strip().lower(), card_type.strip()[:40])


def last_four(value: object) -> str | None:
    """The last four digits of a card number; ``None`` unless they are exactly that."""
    return value if isinstance(value, str) and re.fullmatch(r"[0-9]{4}", value, re.ASCII) else None


def card_title(brand: str | None, last4: str | None) -> str:
    """``Visa •• 4242``; what is unknown is left out."""
    if not last4:
        return brand or KINDS["bank_card"]
    return f"{brand or CARD} •• {last4}"


def method_title(
    kind: str, *, brand: str | None = None, last4: str | None = None, bank: str | None = None
) -> str:
    """The name of a means of payment of any *kind*: a card by its digits, SBP with the bank where it is
    known.
    """
    if kind == "bank_card":
        return card_title(brand, last4)
    title = KINDS.get(kind, kind)
    return f"{title}, {bank}" if kind == "sbp" and bank else title
