"""The desk: its rooms, in the groups of its menu."""

from __future__ import annotations

from collections.abc import Callable

from flask_admin import Admin
from flask_admin.theme import Bootstrap4Theme

from portal.admin.access import Room
from portal.admin.api_keys import ApiKeys
from portal.admin.audit import AuditEntries
from portal.admin.cases import Cases
from portal.admin.catalogue import Plans
from portal.admin.connection import Connection
from portal.admin.events import Events
from portal.admin.jobs import Jobs
from portal.admin.leading import Leading
from portal.admin.letters import Letters
from portal.admin.money import Methods, Periods, Refunds, Subscriptions
from portal.admin.operators import Operators
from portal.admin.overview import Overview
from portal.admin.payments import Payments
from portal.admin.people import People
from portal.admin.price_moves import PriceMoves
from portal.admin.reconciliation import Days, Lines, Reconciliation
from portal.admin.register import Register
from portal.admin.rows import Rows
from portal.admin.settings import Settings
from portal.admin.statistics import Statistics
from portal.database import Base, db
from portal.models import (
    AuditEntry,
    Case,
    Notification,
    Payment,
    PaymentMethod,
    Plan,
    PurchasedPlan,
    ReconciliationDay,
    ReconciliationLine,
    Refund,
    Subscription,
    User,
    WebhookEvent,
)

#: Group of the menu, name, address, the room and what it shows.
ROOMS: tuple[tuple[str, str, str, type[Rows], type[Base]], ...] = (
    ("Деньги", "Платежи", "payments", Payments, Payment),
    ("Деньги", "Возвраты", "refunds", Refunds, Refund),
    ("Деньги", "Подписки", "subscriptions", Subscriptions, Subscription),
    ("Деньги", "Оплаченные периоды", "purchased-plans", Periods, PurchasedPlan),
    ("Деньги", "Способы оплаты", "methods", Methods, PaymentMethod),
    ("Работа", "Случаи", "cases", Cases, Case),
    ("Работа", "Уведомления шлюзов", "webhook-events", Events, WebhookEvent),
    ("Работа", "Письма", "notifications", Letters, Notification),
    ("Работа", "Строки сверок", "reconciliation-lines", Lines, ReconciliationLine),
    ("Работа", "Дни сверок", "reconciliation-days", Days, ReconciliationDay),
    ("Магазин", "Тарифы", "plans", Plans, Plan),
    ("Магазин", "Люди", "users", People, User),
    ("Надзор", "Журнал", "audit", AuditEntries, AuditEntry),
)

#: The same for pages of ours.
PAGES: tuple[tuple[str, str, str, type[Room]], ...] = (
    ("Цифры", "Статистика", "statistics", Statistics),
    ("Цифры", "Реестр по дням", "register", Register),
    ("Магазин", "Цена для подписчиков", "price-moves", PriceMoves),
    ("Магазин", "Переход между шлюзами", "leading", Leading),
    ("Работа", "Сверка", "reconciliation", Reconciliation),
    ("Надзор", "Задачи", "jobs", Jobs),
    ("Магазин", "Настройки", "settings", Settings),
    ("Магазин", "Подключение", "connection", Connection),
    ("Магазин", "Ключи товара", "api-keys", ApiKeys),
    ("Надзор", "Сотрудники", "operators", Operators),
)


def build(nonce: Callable[[], str]) -> Admin:
    """A new desk for one application; *nonce* is what its Content-Security-Policy lets through."""
    admin = Admin(
        name="Управление",
        index_view=Overview(name="Обзор", url="/admin"),
        theme=Bootstrap4Theme(),
        csp_nonce_generator=nonce,
    )
    for group, name, url, room, model in ROOMS:
        endpoint = f"desk_{url.replace('-', '_')}"
        admin.add_view(room(model, db, name=name, endpoint=endpoint, url=url, category=group))
    for group, name, url, page in PAGES:
        endpoint = f"desk_{url.replace('-', '_')}"
        admin.add_view(page(name=name, endpoint=endpoint, url=url, category=group))
    return admin
