"""Moving a plan's subscribers to another price: looked at, decided, called off."""

from __future__ import annotations

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose

from portal import clock, running
from portal.accounts import present
from portal.admin.access import Room, needs
from portal.admin.rows import ROW_NUMBER
from portal.admin.words import moment
from portal.billing import catalogue, price_moves
from portal.billing.price_moves import Preview, WrongMove
from portal.models import Plan, Role


class PriceMoves(Room):
    """What an agreement names is charged; this is the only way to another sum."""

    least = Role.OWNER
    what = (
        "Согласие на продление называет сумму, поэтому новая цена тарифа подписчиков не касается. "
        "Снижение действует для всех, кого предупредили; на повышение каждый должен согласиться сам, "
        "иначе его продление закончится."
    )

    @expose("/")
    def index_view(self) -> ResponseReturnValue:
        """Choose a plan, a sum and a day; with all three, see whom it would reach."""
        typed = {name: request.args.get(name, "") for name in ("plan", "amount", "day")}
        if not any(typed.values()):
            return self._page(typed)
        try:
            plan, preview, moves_at = self._asked(typed)
        except WrongMove as wrong:
            return self._page(typed, trouble=wrong.message), 400
        return self._page(typed, plan=plan, preview=preview, moves_at=moves_at)

    @expose("/", methods=("POST",))
    @needs(Role.OWNER, fresh=True)
    def decide_view(self) -> ResponseReturnValue:
        """Decide it; everybody it reaches is told."""
        typed = {name: request.form.get(name, "") for name in ("plan", "amount", "day")}
        plan = preview = moves_at = None
        try:
            plan, preview, moves_at = self._asked(typed)
            reason = request.form.get("reason", "")
            price_moves.plan_move(plan.id, preview.amount, moves_at, present.actor(), reason, clock.now())
        except WrongMove as wrong:
            page = self._page(typed, plan=plan, preview=preview, moves_at=moves_at, trouble=wrong.message)
            return page, 400
        flash("Назначено. Подписчики получат письма.", "good")
        return redirect(url_for(".index_view"), 303)

    @expose("/call-off", methods=("POST",))
    @needs(Role.OWNER, fresh=True)
    def call_off_view(self) -> ResponseReturnValue:
        """Leave everybody at their price."""
        number = request.form.get("id", "")
        if not ROW_NUMBER.fullmatch(number):
            abort(404)
        reason = request.form.get("reason", "")
        if not reason.strip():
            flash("Не отменено: напишите, почему.", "bad")
        else:
            try:
                price_moves.call_off(int(number), present.actor(), reason, clock.now())
                flash("Отменено. Кого предупредили, тем напишем, что цена прежняя.", "good")
            except WrongMove as wrong:
                flash(wrong.message, "bad")
        return redirect(url_for(".index_view"), 303)

    def _asked(self, typed: dict[str, str]) -> tuple[Plan, Preview, datetime]:
        """What was typed, understood. Raises WrongMove."""
        plan = next((one for one in catalogue.everything() if one.code == typed["plan"]), None)
        if plan is None:
            raise WrongMove("Выберите тариф.")
        amount = price_moves.amount_of(typed["amount"])
        try:
            zone = ZoneInfo(running.config().tz_display)
            moves_at = datetime.combine(date.fromisoformat(typed["day"]), time(), zone)
        except (ValueError, OverflowError):
            raise WrongMove("Укажите день, с которого действует новая цена.") from None
        return plan, price_moves.preview(plan.id, amount), moves_at

    def _page(
        self,
        typed: dict[str, str],
        *,
        plan: Plan | None = None,
        preview: Preview | None = None,
        moves_at: datetime | None = None,
        trouble: str = "",
    ) -> str:
        known = {one.id: one for one in catalogue.everything()}
        found = price_moves.latest()
        page: str = self.render(
            "admin/price_moves.html",
            typed=typed,
            plans=list(known.values()),
            plan=plan,
            preview=preview,
            moves_at=moves_at,
            trouble=trouble,
            moves=[(one, known[one.plan_id], price_moves.progress(one.id)) for one in found],
            now=clock.now(),
            moment=moment,
        )
        return page
