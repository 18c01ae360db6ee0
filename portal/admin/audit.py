"""The record of operators' acts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from portal.admin import act_words
from portal.admin.filters import Contains, Exactly, OneOf, Since, Until
from portal.admin.labels import LABELS
from portal.admin.rows import Rows
from portal.models import AuditEntry, Role


class AuditEntries(Rows):
    """Who did what, before and after, and why. The database itself lets nobody change a row."""

    least = Role.OWNER
    one = "Запись журнала"
    what = (
        "Кто, когда, откуда, что сделал и почему. Записи только добавляются; "
        "команда flask audit verify проверяет, что ни одна не изменена."
    )
    column_list = ("id", "at", "actor", "act", "subject_type", "before", "after", "reason")
    beneath: ClassVar[Mapping[str, tuple[str, ...]]] = {"actor": ("address",)}
    wrapping_columns = Rows.wrapping_columns - {"reason"}
    column_details_exclude_list = ("subject_id",)
    column_sortable_list = ("id", "at")
    column_labels: ClassVar[dict[str, str]] = {**LABELS, "user_id": "Сотрудник", "subject_type": "Над чем"}
    column_filters = (
        Contains("actor", AuditEntry.actor, "Кто"),
        OneOf("act", AuditEntry.act, "Действие", sorted(act_words.ACTS.items(), key=lambda one: one[1])),
        Exactly("subject", (AuditEntry.subject_id,), "Номер или имя"),
        Since("since", AuditEntry.at, "С"),
        Until("until", AuditEntry.at, "по"),
    )

    def export_columns(self) -> list[tuple[str, str]]:
        """What is one link on the page is two columns of the file."""
        found: list[tuple[str, str]] = super().export_columns()
        at = next(n for n, (name, _) in enumerate(found, 1) if name == "subject_type")
        return [*found[:at], ("subject_id", LABELS["subject_id"]), *found[at:]]

    def shown(self, row: Any, name: str) -> Any:
        """In words, leading to what the act was done to."""
        if name == "actor":
            return act_words.actor(row.actor)
        if name == "act":
            return act_words.act(row)
        if name == "subject_type":
            return act_words.subject(row)
        return super().shown(row, name)
