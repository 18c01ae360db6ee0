"""What a rehearsal found, in words: rows that would be new or other."""

from __future__ import annotations

from typing import Any

from portal.admin.labels import LABELS
from portal.admin.words import Word, cell
from portal.billing.settlement import Verdict
from portal.billing.watching import Change

_TABLES = {
    "payments": ("Платёж", "Новый платёж"),
    "purchased_plans": ("Оплаченный период", "Новый оплаченный период"),
    "subscriptions": ("Подписка", "Новая подписка"),
    "refunds": ("Возврат", "Новый возврат"),
    "payment_methods": ("Способ оплаты", "Новый способ оплаты"),
    "method_bindings": ("Привязка карты", "Новая привязка карты"),
    "cases": ("Случай", "Новый случай"),
    "receipts": ("Чек", "Новый чек"),
    "notifications": ("Сообщение клиенту", "Новое сообщение клиенту"),
}

VERDICTS = {
    Verdict.MOVED: Word("изменит данные", "good"),
    Verdict.NOTHING_NEW: Word("ничего нового"),
    Verdict.IGNORED: Word("ничего не меняет"),
    Verdict.CASE: Word("станет случаем", "bad"),
    Verdict.WAITS: Word("будет ждать начала", "wait"),
}


def title(change: Change) -> str:
    """Which row; a new one has no number before it is kept."""
    old, new = _TABLES[change.table]
    return new if change.is_new else f"{old} № {change.number}"


def columns(change: Change) -> list[tuple[str, Any, Any]]:
    """Label, before and after of what is other."""
    return [(LABELS.get(name, name), cell(before), cell(after)) for name, before, after in change.columns]
