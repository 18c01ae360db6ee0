"""What came in, what went back, what the gateways keep, and what is left: by time, by gateway, by day."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from portal.admin import charts
from portal.admin import statistics_links as links
from portal.admin.charts import Chart, Series
from portal.admin.sheets import AtMost, Column, Linked, Sheet, Value
from portal.admin.words import word
from portal.billing import takings
from portal.billing.statistics import Numbers
from portal.billing.takings import Takings
from portal.models import GatewayName

#: The columns of :func:`cells`.
COLUMNS = (
    Column("Оплат"),
    Column("Поступило", "money"),
    Column("Возвратов"),
    Column("Возвращено", "money"),
    Column("Комиссия", "money"),
    Column("Комиссия не известна"),
    Column("Чистыми", "money"),
)
#: What the last three of them say.
OF_FEES = (
    "Комиссия — сколько удержал шлюз по его словам, вместе с НДС на неё, по дню списания. "
    "Чистыми — поступило минус возвращено минус комиссия; знак ≤ — комиссия каких-то платежей ещё не "
    "известна и не вычтена, останется меньше."
)


@dataclass(frozen=True, slots=True)
class Ways:
    """To the rows behind the numbers of one line."""

    paid: str
    back: str
    fee: str
    unknown: str


def cells(money: Takings, to: Ways | None = None) -> tuple[Value, ...]:
    """One line of money; *to* are the ways to its rows."""
    came, went, kept, unknown = money.captured.n, money.refunded.n, fee(money), money.without_fee.n
    return (
        Linked(came, to.paid) if to else came,
        money.captured.amount,
        Linked(went, to.back) if to else went,
        money.refunded.amount,
        Linked(kept, to.fee) if to and kept is not None else kept,
        Linked(unknown, to.unknown) if to and unknown else unknown,
        net(money),
    )


def fee(money: Takings) -> Decimal | None:
    """What is kept, as far as it is known; where nothing of it is known there is no number."""
    return None if money.without_fee.n and not money.fee.n else money.fee.amount


def net(money: Takings) -> Value:
    """What is left, or the most that can be left."""
    return AtMost(money.net) if money.without_fee.n else money.net


def money(numbers: Numbers) -> Sheet:
    """What came in and went back, part by part."""
    found = takings.by(numbers.lines, lambda line: line.begins)
    rows = []
    for begins in numbers.parts():
        since, until = links.span(numbers, begins)
        to = Ways(
            links.payments(numbers, {"paid-since": since, "paid-until": until}),
            links.refunds(numbers, since, until),
            links.fees(numbers, since, until, known=True),
            links.fees(numbers, since, until, known=False),
        )
        rows.append((links.label(numbers, begins), *cells(found.get(begins, Takings()), to)))
    return Sheet(
        "money",
        "Деньги",
        "Поступления — по дню списания, возвраты — по дню, когда деньги ушли обратно; оба по часам магазина. "
        + OF_FEES,
        (Column(links.PARTS[numbers.question.unit], "text"), *COLUMNS),
        rows,
        ("Всего", *cells(takings.total(found.values()))),
        _chart(numbers, [found.get(begins, Takings()) for begins in numbers.parts()]),
    )


def gateways(numbers: Numbers) -> Sheet:
    """The money by gateway."""
    found, asked = takings.by(numbers.lines, lambda line: line.gateway), numbers.question
    rows = []
    for gateway in GatewayName:
        only = {"gateway": gateway.value}
        to = Ways(
            links.payments(numbers, {**links.paid(numbers), **only}),
            links.refunds(numbers, asked.since, asked.until, **only),
            links.fees(numbers, asked.since, asked.until, known=True, **only),
            links.fees(numbers, asked.since, asked.until, known=False, **only),
        )
        rows.append((word(gateway).text, *cells(found.get(gateway.value, Takings()), to)))
    return Sheet(
        "gateways",
        "Шлюзы",
        "Те же деньги, что в первой таблице, по шлюзам.",
        (Column("Шлюз", "text"), *COLUMNS),
        rows,
        ("Всего", *cells(takings.total(found.values()))),
    )


def _chart(numbers: Numbers, parts: list[Takings]) -> Chart:
    return charts.stacked(
        "Куда ушло поступившее",
        "Столбец — всё, что поступило за день, неделю или месяц: сколько из него осталось, сколько удержали "
        "шлюзы и сколько возвращено. Те же числа стоят в таблице ниже.",
        [links.short(numbers, begins) for begins in numbers.parts()],
        [
            Series("осталось", "main", [one.net for one in parts]),
            Series("комиссия, насколько известна", "quiet", [one.fee.amount for one in parts]),
            Series("возвращено", "back", [one.refunded.amount for one in parts]),
        ],
    )
