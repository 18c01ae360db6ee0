"""What the statistics page is made of: each number with the sentence that says what it counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from portal.admin import statistics_links as links
from portal.admin.sheets import Column, Linked, Sheet, Value, share, told
from portal.admin.statistics_money import fee, gateways, money, net
from portal.admin.statistics_orders import orders, refusals, states, success, success_by_part
from portal.admin.statistics_words import RENEWALS
from portal.billing import takings
from portal.billing.questions import Tally
from portal.billing.statistics import Numbers
from portal.billing.takings import Takings
from portal.models.payment import BUYS


@dataclass(frozen=True, slots=True)
class Tile:
    """One number that stands at the top."""

    title: str
    value: str
    what: str
    #: The way to the rows of what is not known of it.
    more: str = ""
    href: str = ""


def tiles(numbers: Numbers) -> list[Tile]:
    """The numbers to look at first."""
    decided, paid, first = success(numbers)
    (runs, worth), (before, _) = _known(numbers.running()), _known(numbers.before)
    lost, said = numbers.total("lost").n, told
    return [
        *_of_money(numbers),
        Tile(
            "Успех оплаты",
            said(share(paid, decided), "share"),
            f"Доля оплаченных заказов среди тех, которые решил банк; с первой попытки — "
            f"{said(share(first, decided), 'share')}.",
        ),
        Tile(
            "Выручка за 30 дней (MRR)",
            said(worth, "money"),
            "Цена каждого действующего тарифа, делённая на его дни и умноженная на 30; каждая округлена до "
            "копейки.",
        ),
        Tile(
            "Действует тарифов",
            said(runs, "count"),
            "Оплачены и идут в конце периода (сегодня — сейчас).",
        ),
        Tile(
            "Отток",
            said(None if before is None else share(lost, before), "share"),
            f"Клиентов, оставшихся за период без тарифа ({lost}), на каждый тариф, "
            f"действовавший в его начале ({said(before, 'count')}).",
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


def plans(numbers: Numbers) -> Sheet:
    """What is bought, and what runs."""
    bought: dict[str, Tally] = {}
    for purpose in BUYS:
        for plan, tally in numbers.by("captured", "plan_code", purpose=purpose.value).items():
            bought[plan] = bought.get(plan, Tally()) + tally
    running = numbers.running()
    total, (runs, worth) = _sum(bought), _known(running)
    rows: list[tuple[Value, ...]] = []
    found = bought.keys() | (running or {}).keys()
    for plan in sorted(found, key=lambda one: (-bought.get(one, Tally()).n, one)):
        sold, now = bought.get(plan, Tally()), running and running.get(plan, Tally())
        href = links.payments(numbers, {**links.paid(numbers), "plan": plan})
        stand = (now.n, now.amount) if now else (None, None)
        rows.append((plan, Linked(sold.n, href), share(sold.n, total.n), sold.amount, *stand))
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
        ("Всего", total.n, None, total.amount, runs, worth),
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
    (before, _), (running, _) = _known(numbers.before), _known(numbers.running())
    rows: list[tuple[Value, ...]] = [
        ("Действовало тарифов в начале", before, "Шли в первый миг периода."),
        ("Новые клиенты", came.get("new", Tally()).n, "Начался их первый тариф."),
        ("Вернулись", came.get("returned", Tally()).n, "Были без тарифа и снова купили."),
        ("Ушли", numbers.total("lost").n, "Тариф кончился или отозван, и следующий в тот же миг не начался."),
        (
            "Действует тарифов в конце",
            running,
            "Идут в последний миг периода (сегодня — сейчас).",
        ),
    ]
    return Sheet(
        "customers",
        "Клиенты",
        "Отток — ушедшие на каждый тариф, действовавший в начале. Продлённый в льготные дни не считается "
        "ушедшим: его срок начинается там, где кончился прежний.",
        (Column("Что", "text"), Column("Сколько"), Column("Что это", "text")),
        rows,
    )


def _of_money(numbers: Numbers) -> list[Tile]:
    money = takings.total(takings.by(numbers.lines, lambda line: line.name).values())
    captured, refunded = money.captured, money.refunded
    return [
        Tile(
            "Поступило",
            told(captured.amount, "money"),
            f"Списано с покупателей. Платежей:\N{NO-BREAK SPACE}{captured.n}.",
        ),
        Tile(
            "Возвращено",
            told(refunded.amount, "money"),
            f"Ушло обратно. Возвратов:\N{NO-BREAK SPACE}{refunded.n}.",
        ),
        Tile(
            "Комиссия шлюзов",
            told(fee(money), "money"),
            f"Удержано по словам шлюзов, с НДС на комиссию. Платежей:\N{NO-BREAK SPACE}{money.fee.n}.",
            *_not_known(numbers, money),
        ),
        Tile("Чистыми", told(net(money), "money"), "Поступило минус возвращено минус комиссия."),
    ]


def _not_known(numbers: Numbers, money: Takings) -> tuple[str, ...]:
    """What is said of payments whose fee nobody has told, and the way to them."""
    if not money.without_fee.n:
        return ()
    asked = numbers.question
    said = f"Не известна у платежей: {money.without_fee.n}, на {told(money.without_fee.amount, 'money')}"
    return said, links.fees(numbers, asked.since, asked.until, known=False)


def _known(found: Mapping[str, Tally] | None) -> tuple[int | None, Decimal | None]:
    """How many, and their sum; neither while it is not known."""
    if found is None:
        return None, None
    together = _sum(found)
    return together.n, together.amount


def _sum(found: Mapping[str, Tally]) -> Tally:
    return sum(found.values(), Tally())
