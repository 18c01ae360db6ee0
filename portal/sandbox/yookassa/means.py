"""The means of payment: how long one may pay, hold and what can be saved. Source: YooKassa, "Payment
methods".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

_HOUR = timedelta(hours=1)
_WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Means:
    """One type of payment method. ``hold`` None: no two-stage payments; ``pay_by`` None: no limit."""

    type: str
    title: str
    hold: timedelta | None = None
    pay_by: timedelta | None = _HOUR
    saved_by_flag: bool = False
    saved_by_box: bool = False
    refundable: bool = True
    partial_capture: bool = True
    most: Decimal = Decimal(700000)


_ALL = (
    Means(
        "bank_card", "Банковская карта", _WEEK, saved_by_flag=True, saved_by_box=True, most=Decimal(350000)
    ),
    Means("sbp", "СБП", saved_by_flag=True),
    Means("sberbank", "SberPay", _WEEK, saved_by_flag=True),
    Means("tinkoff_bank", "T-Pay", _WEEK, saved_by_flag=True),
    Means("yoo_money", "ЮMoney", _WEEK, saved_by_flag=True, saved_by_box=True),
    Means("alfa_pay", "Alfa Pay"),
    Means("sber_bnpl", "Плати частями", _WEEK),
    Means("sber_loan", "Покупки в кредит", timedelta(hours=2), timedelta(hours=8)),
    Means("mobile_balance", "Баланс телефона", timedelta(hours=6), partial_capture=False),
    Means("b2b_sberbank", "СберБанк Бизнес", None, timedelta(hours=8), refundable=False),
    Means("cash", "Наличные", timedelta(hours=6), None, refundable=False, partial_capture=False),
    Means("electronic_certificate", "Электронный сертификат"),
)
MEANS = {means.type: means for means in _ALL}
ON_PAGE = ("bank_card", "sbp", "sberbank", "tinkoff_bank", "yoo_money")
"""What the payer chooses from when the shop has not chosen."""


def on_page(given: str | None, *, capture: bool, saving: bool) -> list[str]:
    """The types offered on the hosted page: the one that was asked for, or those that can do what is
    wanted.
    """
    if given:
        return [given]
    able = [MEANS[name] for name in ON_PAGE]
    return [m.type for m in able if (capture or m.hold) and (m.saved_by_flag or not saving)]
