"""The refusals that the portal writes down itself, the same for both gateways; their words are in here too.

``not_created``: the gateway never heard of it. ``needs_payer``: a bank wants the customer to confirm the
charge of a saved method. ``second_capture``: money that came for a period that was paid for already.
``not_as_ordered``: money that came and does not fit the order. ``declared_failed``: nobody could tell, and an
operator decided.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """What may be done next with the method that was refused."""

    RETRY_LATER = "retry_later"  # the same method may work in some hours or days
    ANOTHER_CARD = (
        "another_card"  # only the customer can help: another card, a code, a limit; not charged unasked
    )
    STOP = "stop"  # this method will never be charged again: it is dropped, a new one must be entered
    OPERATOR = "operator"  # the shop's own settings or software; the customer's card is not to blame


@dataclass(frozen=True, slots=True)
class Decline:
    """A refusal explained. ``known`` is false for a code that is not in the table: tell the operator."""

    code: str | None
    action: Action
    message_ru: str
    message_en: str
    known: bool = True


OURS: tuple[Decline, ...] = (
    Decline(
        "not_created",
        Action.RETRY_LATER,
        "Заказ не дошёл до платёжной системы, деньги не списаны. Начните оплату заново.",
        "The order did not reach the payment system and no money was taken. Start the payment again.",
    ),
    Decline(
        "canceled",
        Action.ANOTHER_CARD,
        "Оплата отменена: удержанные деньги снова станут доступны на карте. Оплатите заново или напишите.",
        "The payment was called off and the money held on the card is released. Pay again or write to us.",
    ),
    Decline(
        "superseded",
        Action.ANOTHER_CARD,
        "Вместо этого заказа вы начали новый, деньги по старому не списаны. Оплатите новый заказ.",
        "You began another order instead and no money was taken for this one. Pay the new order.",
    ),
    Decline(
        "YOOKASSA_FORBIDDEN",
        Action.OPERATOR,
        (
            "Магазину не разрешён такой платёж, карта ни при чём, деньги не списаны. "
            "Оплатите другим способом или напишите нам."
        ),
        (
            "The shop may not take such a payment; your card is fine and no money was taken. "
            "Pay another way or write to us."
        ),
    ),
    Decline(
        "GATEWAY_REJECTED",
        Action.OPERATOR,
        (
            "Платёжная система не приняла заказ по вине магазина, карта ни при чём, деньги не списаны. "
            "Выберите другой способ оплаты или напишите нам."
        ),
        (
            "The payment system did not take the shop's order; your card is fine and no money was taken. "
            "Pay another way or write to us."
        ),
    ),
    Decline(
        "needs_payer",
        Action.ANOTHER_CARD,
        "Банк хочет, чтобы вы сами подтвердили эту оплату, деньги не списаны. Оплатите её в личном кабинете.",
        "The bank wants you to confirm this payment yourself; no money was taken. Pay it in your account.",
    ),
    Decline(
        "declared_failed",
        Action.RETRY_LATER,
        "Платёжная система не сказала, чем кончилась эта оплата, мы её закрыли. Если деньги ушли, напишите.",
        "The payment system never said how this payment ended, so we closed it. If money was taken, write.",
    ),
    Decline(
        "second_capture",
        Action.OPERATOR,
        "За этот период уже заплачено. Деньги по этому списанию мы вернём; если их долго нет, напишите нам.",
        "This period was paid for already. We will return the money of this charge; if it takes long, write.",
    ),
    Decline(
        "not_as_ordered",
        Action.OPERATOR,
        "Оплата не сошлась с заказом, и тариф по ней не начался. Мы разбираемся; если долго, напишите нам.",
        "What was paid is not what was ordered, so no plan began. We look into it; if it takes long, write.",
    ),
)
