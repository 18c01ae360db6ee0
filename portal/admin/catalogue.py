"""The tariffs. Editing a plan never changes what was bought."""

from __future__ import annotations

from typing import Any, ClassVar

from wtforms.validators import Regexp

from portal import clock
from portal.admin.rows import Rows
from portal.billing import plans
from portal.models import Plan


class Plans(Rows):
    """The catalogue."""

    can_create = True
    can_edit = True
    column_default_sort = ("position", False)
    column_list = (
        "id",
        "code",
        "title",
        "price",
        "discount",
        "period_days",
        "email_quota",
        "on_sale",
        "position",
    )
    column_sortable_list = ()
    column_filters = ()
    form_columns = (
        "code",
        "title",
        "description",
        "price",
        "discount",
        "currency",
        "period_days",
        "email_quota",
        "on_sale",
        "position",
    )
    form_args: ClassVar[dict[str, Any]] = {
        "code": {"validators": [Regexp(plans.CODE, message="Только латинские буквы, цифры и знаки _ . -")]}
    }

    def on_model_change(self, _form: Any, model: Plan, is_created: bool) -> None:
        """Note when."""
        model.updated_at = clock.now()
        if is_created:
            model.created_at = model.updated_at
