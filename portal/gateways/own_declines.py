"""The refusals that the portal writes down itself, the same for both gateways; their words are in here too.

``not_created``: the gateway never heard of it. ``needs_payer``: a bank wants the customer to confirm the
charge of a saved method. ``second_capture``: money that came for a period that was paid for already.
``not_as_ordered``: money that came and does not fit the order. ``declared_failed``: nobody could tell, and an
operator decided.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from portal.wording import marked, say


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
    sentence: str
    known: bool = True

    @property
    def message(self) -> str:
        """The sentence as the present reader reads it."""
        return say(self.sentence)

    @property
    def tells_of_money(self) -> bool:
        """Whether the sentence says itself what became of the money; elsewhere that is said beside it."""
        return "деньги" in self.sentence.lower()

    @property
    def whole(self) -> str:
        """The sentence with what became of the money, said by itself or behind it."""
        return self.message if self.tells_of_money else say("%(why)s Деньги не списаны.", why=self.message)


OURS: tuple[Decline, ...] = (
    Decline(
        "not_created",
        Action.RETRY_LATER,
        marked("Заказ не дошёл до платёжной системы, деньги не списаны. Начните оплату заново."),
    ),
    Decline(
        "canceled",
        Action.ANOTHER_CARD,
        marked(
            "Оплата отменена: удержанные деньги снова станут доступны на карте. Оплатите "
            "заново или напишите нам."
        ),
    ),
    Decline(
        "superseded",
        Action.ANOTHER_CARD,
        marked("Вместо этого заказа вы начали новый, деньги по старому не списаны. Оплатите новый заказ."),
    ),
    Decline(
        "YOOKASSA_FORBIDDEN",
        Action.OPERATOR,
        marked(
            "Магазину не разрешён такой платёж, карта ни при чём, деньги не списаны. Оплатите "
            "другим способом или напишите нам."
        ),
    ),
    Decline(
        "GATEWAY_REJECTED",
        Action.OPERATOR,
        marked(
            "Платёжная система не приняла заказ по вине магазина, карта ни при чём, деньги не "
            "списаны. Выберите другой способ оплаты или напишите нам."
        ),
    ),
    Decline(
        "needs_payer",
        Action.ANOTHER_CARD,
        marked(
            "Банк хочет, чтобы вы сами подтвердили эту оплату, деньги не списаны. Оплатите её "
            "в личном кабинете."
        ),
    ),
    Decline(
        "declared_failed",
        Action.RETRY_LATER,
        marked(
            "Платёжная система не сказала, чем кончилась эта оплата, мы её закрыли. Если "
            "деньги ушли, напишите нам."
        ),
    ),
    Decline(
        "second_capture",
        Action.OPERATOR,
        marked(
            "За этот срок уже заплачено. Деньги по этому списанию мы вернём; если их долго нет, напишите нам."
        ),
    ),
    Decline(
        "not_as_ordered",
        Action.OPERATOR,
        marked(
            "Деньги пришли, но не сошлись с заказом, и тариф по ним не начался. Мы "
            "разбираемся; если долго, напишите нам."
        ),
    ),
)
