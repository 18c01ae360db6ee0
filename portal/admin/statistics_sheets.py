"""What the statistics page is made of: each number with the sentence that says what it counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from portal.admin import charts
from portal.admin import statistics_links as links
from portal.admin.charts import Chart, Series
from portal.admin.sheets import Column, Linked, Sheet, share, told
from portal.admin.statistics_orders import orders, refusals, states, success, success_by_part
from portal.admin.statistics_words import RENEWALS
from portal.admin.words import word
from portal.billing.statistics import Numbers, Tally
from portal.models import GatewayName
from portal.models.payment import BUYS


@dataclass(frozen=True, slots=True)
class Tile:
    """One number that stands at the top."""

    title: str
    value: str
    what: str


def tiles(numbers: Numbers) -> list[Tile]:
    """The numbers to look at first."""
    captured, refunded = numbers.total("captured"), numbers.total("refunded")
    decided, paid, first = success(numbers)
    running = _sum(numbers.running())
    lost, before = numbers.total("lost").n, _sum(numbers.before).n
    said = told
    return [
        Tile("Поступило", said(captured.amount, "money"), f"Списано с покупателей. Платежей: {captured.n}."),
        Tile("Возвращено", said(refunded.amount, "money"), f"Ушло обратно. Возвратов: {refunded.n}."),
        Tile("Чистыми", said(captured.amount - refunded.amount, "money"), "Поступило минус возвращено."),
        Tile(
            "Успех оплаты",
            said(share(paid, decided), "share"),
            f"Доля оплаченных заказов среди тех, которые решил банк; с первой попытки — "
            f"{said(share(first, decided), 'share')}.",
        ),
        Tile(
            "Выручка за 30 дней (MRR)",
            said(running.amount, "money"),
            "Цена каждого действующего тарифа, делённая на его дни и умноженная на 30; каждая округлена до "
            "копейки.",
        ),
        Tile(
            "Действует тарифов",
            said(running.n, "count"),
            "Оплачены и идут в конце периода (сегодня — сейчас).",
        ),
        Tile(
            "Отток",
            said(share(lost, before), "share"),
            f"Клиентов, оставшихся за период без тарифа ({lost}), на каждый тариф, "
            f"действовавший в его начале ({before}).",
        ),
        Tile(
            "Новые клиенты",
            said(numbers.total("came", detail="new").n, "count"),
            "Их первый в жизни тариф начался в эти дни.",
        ),
    ]


def all_of(numbers: Numbers) -> list[Sheet]:
    """Every table, in the order of the page."""
    return [
        money(numbers),
        success_by_part(numbers),
        orders(numbers),
        refusals(numbers),
        plans(numbers),
        renewals(numbers),
        customers(numbers),
        gateways(numbers),
        states(numbers),
    ]


def money(numbers: Numbers) -> Sheet:
    """What came in and went back, part by part."""
    captured, refunded = numbers.by("captured", "begins"), numbers.by("refunded", "begins")
    rows = []
    for begins in numbers.parts():
        came, went = captured.get(begins, Tally()), refunded.get(begins, Tally())
        since, until = links.span(numbers, begins)
        rows.append(
            (
                links.label(numbers, begins),
                Linked(came.n, links.payments(numbers, {"paid-since": since, "paid-until": until})),
                came.amount,
                Linked(went.n, links.refunds(numbers, since, until)),
                went.amount,
                came.amount - went.amount,
            )
        )
    came, went = numbers.total("captured"), numbers.total("refunded")
    return Sheet(
        "money",
        "Деньги",
        "Поступления — по дню списания, возвраты — по дню, когда деньги ушли обратно; оба по часам магазина.",
        (
            Column(links.PARTS[numbers.question.unit], "text"),
            Column("Оплат"),
            Column("Поступило", "money"),
            Column("Возвратов"),
            Column("Возвращено", "money"),
            Column("Чистыми", "money"),
        ),
        rows,
        ("Всего", came.n, came.amount, went.n, went.amount, came.amount - went.amount),
        _money_chart(numbers),
    )


def _money_chart(numbers: Numbers) -> Chart:
    parts = numbers.parts()
    named = (("поступило", "main", "captured"), ("возвращено", "back", "refunded"))
    series = []
    for name, kind, figure in named:
        found = numbers.by(figure, "begins")
        series.append(Series(name, kind, [found.get(begins, Tally()).amount for begins in parts]))
    return charts.bars(
        "Поступило и возвращено",
        "Столбцы по дням, неделям или месяцам; те же числа стоят в таблице ниже.",
        [links.short(numbers, begins) for begins in parts],
        series,
    )


def plans(numbers: Numbers) -> Sheet:
    """What is bought, and what runs."""
    bought: dict[str, Tally] = {}
    for purpose in BUYS:
        for plan, tally in numbers.by("captured", "plan_code", purpose=purpose.value).items():
            bought[plan] = bought.get(plan, Tally()) + tally
    running = numbers.running()
    total, runs = _sum(bought), _sum(running)
    rows = []
    for plan in sorted(bought.keys() | running.keys(), key=lambda one: (-bought.get(one, Tally()).n, one)):
        sold, now = bought.get(plan, Tally()), running.get(plan, Tally())
        href = links.payments(numbers, {**links.paid(numbers), "plan": plan})
        rows.append((plan, Linked(sold.n, href), share(sold.n, total.n), sold.amount, now.n, now.amount))
    return Sheet(
        "plans",
        "Тарифы",
        "Оплаты тарифа за эти дни, с продлениями; справа — оплаченные сроки, которые идут в конце периода, и "
        "их выручка за 30 дней (MRR). Возврат части суммы её не меняет, возврат всей — срок кончается.",
        (
            Column("Тариф", "text"),
            Column("Оплат"),
            Column("Доля", "share"),
            Column("Поступило", "money"),
            Column("Действует"),
            Column("MRR", "money"),
        ),
        rows,
        ("Всего", total.n, None, total.amount, runs.n, runs.amount),
    )


def renewals(numbers: Numbers) -> Sheet:
    """What became of every renewal that was due."""
    found = numbers.by("renewals", "detail")
    rows = [
        (text, found.get(outcome, Tally()).n, found.get(outcome, Tally()).amount, what)
        for outcome, (text, what) in RENEWALS.items()
    ]
    total = numbers.total("renewals")
    return Sheet(
        "renewals",
        "Продления: что полагалось и что вышло",
        "Оплаченные сроки, которые кончились в эти дни и при которых действовало согласие на продление. "
        "Каждый либо списан, либо объяснён.",
        (Column("Исход", "text"), Column("Сколько"), Column("Сумма", "money"), Column("Что это", "text")),
        rows,
        ("Полагалось", total.n, total.amount, ""),
    )


def customers(numbers: Numbers) -> Sheet:
    """Who came, came back and left."""
    came = numbers.by("came", "detail")
    rows: list[tuple[str, int, str]] = [
        ("Действовало тарифов в начале", _sum(numbers.before).n, "Шли в первый миг периода."),
        ("Новые клиенты", came.get("new", Tally()).n, "Начался их первый тариф."),
        ("Вернулись", came.get("returned", Tally()).n, "Были без тарифа и снова купили."),
        ("Ушли", numbers.total("lost").n, "Тариф кончился или отозван, и следующий в тот же миг не начался."),
        (
            "Действует тарифов в конце",
            _sum(numbers.running()).n,
            "Идут в последний миг периода (сегодня — сейчас).",
        ),
    ]
    return Sheet(
        "customers",
        "Клиенты",
        "Отток — ушедшие на каждый тариф, действовавший в начале. Продлённый в льготные дни не считается "
        "ушедшим: его срок начинается там, где кончился прежний.",
        (Column("Что", "text"), Column("Сколько"), Column("Что это", "text")),
        list(rows),
    )


def gateways(numbers: Numbers) -> Sheet:
    """The money by gateway."""
    came, went = numbers.by("captured", "gateway"), numbers.by("refunded", "gateway")
    rows = []
    for gateway in GatewayName:
        one, back = came.get(gateway.value, Tally()), went.get(gateway.value, Tally())
        href = links.payments(numbers, {**links.paid(numbers), "gateway": gateway.value})
        rows.append(
            (
                word(gateway).text,
                Linked(one.n, href),
                one.amount,
                back.n,
                back.amount,
                one.amount - back.amount,
            )
        )
    return Sheet(
        "gateways",
        "Шлюзы",
        "Те же деньги, что в первой таблице, по шлюзам.",
        (
            Column("Шлюз", "text"),
            Column("Оплат"),
            Column("Поступило", "money"),
            Column("Возвратов"),
            Column("Возвращено", "money"),
            Column("Чистыми", "money"),
        ),
        rows,
    )


def _sum(found: Mapping[str, Tally]) -> Tally:
    return sum(found.values(), Tally())
