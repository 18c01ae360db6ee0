"""The tariffs. Editing a plan never changes what was bought."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose

from portal import clock
from portal.accounts import present
from portal.admin.access import needs
from portal.admin.rows import ROW_NUMBER, Rows
from portal.billing import catalogue
from portal.billing.catalogue import WrongTerms
from portal.billing.offers import Offer
from portal.models import Plan, Role


class Plans(Rows):
    """The catalogue."""

    can_create = True
    can_edit = True
    what = (
        "В этом порядке тарифы видит клиент. Новая цена действует для новых заказов: "
        "оплаченное и согласия на продление остаются прежними."
    )
    list_template = "admin/plans/list.html"
    column_default_sort = ("position", False)
    column_list = ("code", "title", "price", "discount", "period_days", "email_quota", "on_sale")
    column_sortable_list = ()
    column_filters = ()
    page_size = 500

    @expose("/new/", methods=("GET", "POST"))
    @needs(Role.OWNER)
    def create_view(self) -> ResponseReturnValue:
        """A new plan: looked at first, if one likes, then put at the end of the catalogue."""
        if request.method == "GET":
            return self._form(None, {"discount": "0", "period_days": "30", "on_sale": "y"})
        return self._take(None)

    @expose("/edit/", methods=("GET", "POST"))
    @needs(Role.OWNER)
    def edit_view(self) -> ResponseReturnValue:
        """Other terms for new orders."""
        plan = self.get_one(request.args.get("id", "")) or abort(404)
        if request.method == "GET":
            return self._form(plan, _typed(plan))
        return self._take(plan)

    @expose("/move/", methods=("POST",))
    @needs(Role.OWNER)
    def move_view(self) -> ResponseReturnValue:
        """One place up or down."""
        catalogue.move(
            self._asked(), -1 if request.form.get("way") == "up" else 1, present.actor(), clock.now()
        )
        return redirect(url_for(".index_view"), 303)

    @expose("/show/", methods=("POST",))
    @needs(Role.OWNER)
    def show_view(self) -> ResponseReturnValue:
        """Sell it, or hide it."""
        on_sale = request.form.get("on_sale") == "1"
        if catalogue.show(self._asked(), on_sale, present.actor(), clock.now()):
            flash("Тариф в продаже." if on_sale else "Тариф убран из продажи.", "good")
        return redirect(url_for(".index_view"), 303)

    def row_url(self, row: Any) -> str | None:
        """To its form."""
        return url_for(".edit_view", id=row.id)

    def _asked(self) -> int:
        number = request.form.get("id", "")
        return int(number) if ROW_NUMBER.fullmatch(number) else abort(404)

    def _take(self, plan: Plan | None) -> ResponseReturnValue:
        """Show what was typed as customers would see it, or keep it."""
        typed = {name: request.form.get(name, "") for name in ("code", *catalogue.FIELDS)}
        try:
            if "preview" in request.form:
                return self._form(plan, typed, seen=catalogue.draft(typed, code=plan.code if plan else None))
            if plan is None:
                catalogue.create(typed, present.actor(), clock.now())
            else:
                catalogue.change(plan.id, typed, present.actor(), clock.now())
        except WrongTerms as wrong:
            return self._form(plan, typed, errors=wrong.errors), 400
        flash("Сохранено.", "good")
        return redirect(url_for(".index_view"), 303)

    def _form(
        self,
        plan: Plan | None,
        typed: Mapping[str, str],
        *,
        errors: Mapping[str, str] | None = None,
        seen: Plan | None = None,
    ) -> str:
        page: str = self.render(
            "admin/plans/form.html",
            plan=plan,
            typed=typed,
            errors=errors or {},
            offer=Offer.of(seen) if seen is not None else None,
        )
        return page


def _typed(plan: Plan) -> dict[str, str]:
    """The plan's terms as its form holds them."""
    told = {name: str(getattr(plan, name)) for name in catalogue.FIELDS}
    told |= {name: told[name].replace(".", ",") for name in ("price", "discount")}
    return {**told, "on_sale": "y" if plan.on_sale else ""}
