"""What the statistics page calls outcomes."""

from __future__ import annotations

from portal.gateways.declines import Action

#: How an order ended, in the order of the columns.
OUTCOMES = {
    "first": "С первой попытки",
    "later": "После повторов",
    "declined": "Отказ",
    "abandoned": "Брошен",
    "open": "Ещё открыт",
}
#: What became of a renewal that was due, and what that means.
RENEWALS = {
    "charged": ("списано", "Деньги взяты с сохранённого способа оплаты."),
    "otherwise": ("оплачено иначе", "Следующий срок оплачен заранее, другим способом или сменой тарифа."),
    "refused": ("отказ", "Банк отклонил списание; причина стоит у платежа и в таблице отказов."),
    "stopped": (
        "остановлено",
        "Согласия больше нет: клиент остановил продление, отвязал карту или отменил тариф.",
    ),
    "held": ("задержано", "Письмо о списании не ушло, поэтому списания не было; случай стоит в «Случаях»."),
    "open": ("в работе", "Исход ещё не известен, или списание ждёт своей очереди."),
    "unexplained": ("без объяснения", "Полагалось списать, а следа нет. Так быть не должно."),
}
#: What the portal does after a refusal of this kind.
ACTIONS = {
    Action.RETRY_LATER: "пробует позже",
    Action.ANOTHER_CARD: "просит другую карту",
    Action.STOP: "больше не списывает с этой карты",
    Action.OPERATOR: "зовёт сотрудника",
}
