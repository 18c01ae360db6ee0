"""The operator's desk as it stands: rooms, lists, the pages of rows, the pages before an act."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dev.gallery.scenes import Scene

if TYPE_CHECKING:
    from dev.gallery.world import World

#: Rooms that are lists, and their names.
LISTS = {
    "payments": "Платежи",
    "refunds": "Возвраты",
    "subscriptions": "Подписки",
    "purchased_plans": "Оплаченные периоды",
    "methods": "Способы оплаты",
    "cases": "Случаи",
    "webhook_events": "Уведомления шлюзов",
    "notifications": "Письма",
    "reconciliation_lines": "Строки сверок",
    "reconciliation_days": "Дни сверок",
    "plans": "Тарифы",
    "users": "Люди",
    "audit": "Журнал",
}
#: Those whose rows have a page, and under which name the world remembers a number.
DETAILS = {
    "payments": "payment",
    "refunds": "refund",
    "subscriptions": "subscription",
    "purchased_plans": "period",
    "methods": "method",
    "cases": "case",
    "webhook_events": "event",
    "notifications": "letter",
    "users": "customer",
    "audit": "entry",
}
#: What asks for a number and does something: endpoint, the number's name, what it is.
ACTS = (
    ("payments.refund", "payment", "Вернуть деньги"),
    ("payments.chargeback", "payment", "Банк отозвал платёж"),
    ("users.extend", "customer", "Добавить дни"),
    ("users.stop", "customer", "Остановить продление"),
    ("users.disable", "customer", "Закрыть аккаунт"),
    ("notifications.resend", "letter", "Повторить письмо"),
    ("plans.edit_view", "plan", "Изменить тариф"),
)


def number(name: str) -> Any:
    """The number of the row that the world remembers under this name, as an address."""
    return lambda world: {"id": world.facts[name]}


@contextmanager
def owner_again(world: World) -> Iterator[None]:
    """The owner gives the password once more: money may leave for ten minutes after that."""
    world.sign_in("owner")
    yield


def _pages() -> Iterator[Scene]:
    """Rooms that are pages of their own."""
    for room, title in (
        ("statistics", "Статистика"),
        ("register", "Реестр по дням"),
        ("price_moves", "Цена для подписчиков"),
        ("reconciliation", "Сверка"),
        ("jobs", "Задачи"),
        ("settings", "Настройки"),
        ("connection", "Подключение"),
        ("api_keys", "Ключи товара"),
        ("operators", "Сотрудники"),
    ):
        index = "index" if room in {"statistics", "register", "api_keys", "operators"} else "index_view"
        yield Scene(
            name=f"desk-{room.replace('_', '-')}",
            title=f"Управление: {title}",
            endpoint=f"desk_{room}.{index}",
            values={"kind": "live"} if room == "statistics" else None,
            who="owner",
        )


def _lists() -> Iterator[Scene]:
    """Rooms that are lists, and the pages of their rows."""
    for room, title in LISTS.items():
        name = f"desk-{room.replace('_', '-')}"
        yield Scene(name=name, title=f"Управление: {title}", endpoint=f"desk_{room}.index_view", who="owner")
        if room in DETAILS:
            yield Scene(
                name=f"{name}-details",
                title=f"Управление: {title}, одна строка",
                endpoint=f"desk_{room}.details_view",
                values=number(DETAILS[room]),
                who="owner",
            )


def _acts() -> Iterator[Scene]:
    """The page before each act."""
    for endpoint, row, title in ACTS:
        room, _, view = endpoint.partition(".")
        yield Scene(
            name=f"desk-{room}-{view.removesuffix('_view')}",
            title=f"Управление: {title}",
            endpoint=f"desk_{endpoint}",
            values=number(row),
            who="owner",
            during=owner_again,
        )


SCENES = (*_pages(), *_lists(), *_acts())
