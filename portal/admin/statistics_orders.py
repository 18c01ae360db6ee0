"""Orders and attempts: how many were paid, at once and after all, and why the others were not."""

from __future__ import annotations

from decimal import Decimal

from portal.admin import charts
from portal.admin import statistics_links as links
from portal.admin.charts import Chart, Series
from portal.admin.sheets import Column, Linked, Sheet, Value, share
from portal.admin.statistics_words import ACTIONS, OUTCOMES
from portal.admin.words import word
from portal.billing.questions import Tally
from portal.billing.statistics import Numbers
from portal.gateways import declines
from portal.models import GatewayName, PaymentPurpose, PaymentStatus


def success(numbers: Numbers, **only: str) -> tuple[int, int, int]:
    """Orders that a bank decided, of them paid, of them at the first try."""
    found = numbers.by("orders", "detail", **only)
    count = {outcome: found.get(outcome, Tally()).n for outcome in OUTCOMES}
    paid = count["first"] + count["later"]
    return paid + count["declined"], paid, count["first"]


def success_by_part(numbers: Numbers) -> Sheet:
    """How many of a hundred orders are paid, at once and after all."""
    rows: list[tuple[str, int, Decimal | None, Decimal | None]] = []
    for begins in numbers.parts():
        found: dict[str, int] = {}
        for line in numbers.lines:
            if line.name == "orders" and line.begins == begins:
                found[line.detail] = found.get(line.detail, 0) + line.tally.n
        first = found.get("first", 0)
        paid = first + found.get("later", 0)
        decided = paid + found.get("declined", 0)
        rows.append((links.label(numbers, begins), decided, share(first, decided), share(paid, decided)))
    return Sheet(
        "success",
        "Успех оплаты",
        "Заказы по дню, когда они начаты; в долю не входят брошенные и ещё открытые.",
        (
            Column(links.PARTS[numbers.question.unit], "text"),
            Column("Решено банком"),
            Column("С первой попытки", "share"),
            Column("В итоге", "share"),
        ),
        rows,
        chart=_success_chart(numbers, rows),
    )


def _success_chart(numbers: Numbers, rows: list[tuple[str, int, Decimal | None, Decimal | None]]) -> Chart:
    return charts.bars(
        "Доля оплаченных заказов, %",
        "Из ста заказов, которые решил банк: сколько оплачено с первой попытки и сколько в итоге.",
        [links.short(numbers, begins) for begins in numbers.parts()],
        [
            Series("с первой попытки", "quiet", [row[2] or 0 for row in rows]),
            Series("в итоге", "main", [row[3] or 0 for row in rows]),
        ],
        top=100,
    )


def orders(numbers: Numbers) -> Sheet:
    """Orders by purpose and by how they ended."""
    rows: list[tuple[Value, ...]] = []
    counted = [0] * (1 + len(OUTCOMES))
    for purpose in (PaymentPurpose.PURCHASE, PaymentPurpose.CHANGE, PaymentPurpose.RENEWAL):
        found = numbers.by("orders", "detail", purpose=purpose.value)
        counts = [found.get(outcome, Tally()).n for outcome in OUTCOMES]
        counts.insert(0, sum(counts))
        counted = [one + more for one, more in zip(counted, counts, strict=True)]
        decided, paid, first = success(numbers, purpose=purpose.value)
        rows.append((word(purpose).text, *counts, share(first, decided), share(paid, decided)))
    decided, paid, first = success(numbers)
    return Sheet(
        "orders",
        "Заказы",
        "Один заказ — одна покупка, смена тарифа или продление одного срока, сколько бы попыток ни было. "
        "Брошен — срок вышел, начат другой или шлюз о нём не узнал.",
        (
            Column("За что", "text"),
            Column("Заказов"),
            *(Column(text) for text in OUTCOMES.values()),
            Column("Успех сразу", "share"),
            Column("Успех в итоге", "share"),
        ),
        rows,
        ("Всего", *counted, share(first, decided), share(paid, decided)),
    )


def refusals(numbers: Numbers) -> Sheet:
    """Why attempts were refused, the most frequent reason first."""
    rows: list[tuple[int, str, tuple[Value, ...]]] = []
    for gateway in GatewayName:
        for code, tally in numbers.by("declined", "detail", gateway=gateway.value).items():
            decline = declines.explain(gateway.value, code)
            href = links.payments(
                numbers, {**links.made(numbers), "status": "failed", "reason": code, "gateway": gateway.value}
            )
            part = share(tally.n, numbers.total("declined").n)
            told = (word(gateway).text, code, ACTIONS[decline.action], decline.message)
            rows.append((-tally.n, code, (Linked(tally.n, href), part, *told)))
    return Sheet(
        "refusals",
        "Причины отказов",
        "Попытки, начатые в эти дни и отклонённые. Отказ, после которого тот же заказ оплатили, "
        "сюда не входит.",
        (
            Column("Отказов"),
            Column("Доля", "share"),
            Column("Шлюз", "text"),
            Column("Код", "text"),
            Column("Что делает портал", "text"),
            Column("Что видит клиент", "text"),
        ),
        [row for _, _, row in sorted(rows, key=lambda one: one[:2])],
        (numbers.total("declined").n, None, "", "", "", "") if rows else None,
    )


def states(numbers: Numbers) -> Sheet:
    """All payments begun in these days, by where they stand now."""
    found = numbers.by("created", "detail")
    rows = []
    for status in PaymentStatus:
        tally = found.get(status.value, Tally())
        href = links.payments(numbers, {**links.made(numbers), "status": status.value})
        rows.append((word(status).text, Linked(tally.n, href), tally.amount))
    total = numbers.total("created")
    return Sheet(
        "states",
        "Все платежи",
        "Каждая строка списка платежей, начатая в эти дни, по нынешнему состоянию; проверки и привязки тоже.",
        (Column("Состояние", "text"), Column("Платежей"), Column("Сумма", "money")),
        rows,
        ("Всего", total.n, total.amount),
    )
