"""The record of operators' acts."""

from __future__ import annotations

from portal.admin.filters import Contains, Exactly, Since, Until
from portal.admin.rows import Rows
from portal.models import AuditEntry, Role


class AuditEntries(Rows):
    """Who did what, before and after, and why. The database itself lets nobody change a row."""

    least = Role.OWNER
    what = (
        "Кто, когда, откуда, что сделал и почему. Записи только добавляются; "
        "команда flask audit verify проверяет, что ни одна не изменена."
    )
    column_list = ("id", "at", "actor", "address", "act", "subject_type", "subject_id", "reason")
    column_sortable_list = ("id", "at")
    column_filters = (
        Contains("actor", AuditEntry.actor, "Кто"),
        Exactly("act", (AuditEntry.act,), "Действие"),
        Exactly("subject", (AuditEntry.subject_id,), "Номер"),
        Since("since", AuditEntry.at, "С"),
        Until("until", AuditEntry.at, "по"),
    )
