"""The notifications as they came (the seed's WebhookLog), and carrying them out once more."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from sqlalchemy import select
from werkzeug.exceptions import NotFound as NoSuchPage

from portal import clock, running
from portal.accounts import present
from portal.admin import bodies, change_words, envelopes
from portal.admin.access import needs
from portal.admin.filters import Exactly, OneOf, Since, Until
from portal.admin.rows import Rows
from portal.admin.verdict_words import verdict
from portal.admin.words import cell, word
from portal.billing import replay, replaying
from portal.billing.replaying import Range
from portal.database import db
from portal.errors import InvalidRequest, PortalError
from portal.models import BillingMode, EventStatus, GatewayName, Payment, Replay, Role, WebhookEvent

_SIBLINGS = 20


class Events(Rows):
    """The inbox."""

    one = "Уведомление"
    what = "Каждое подлинное уведомление шлюза: что пришло, что из него вышло и сколько раз пробовали."
    list_template = "admin/events/list.html"
    details_template = "admin/events/details.html"
    column_list = (
        "id",
        "received_at",
        "gateway",
        "status",
        "gateway_object_id",
        "payment_id",
        "attempts",
        "billing_mode",
    )
    beneath: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "gateway": ("kind",),
        "status": ("verdict", "last_error"),
    }
    wide_columns = frozenset({"billing_mode"})
    wrapping_columns = Rows.wrapping_columns | {"status", "gateway_object_id"}
    column_details_exclude_list = ("raw_payload", "dedupe_key", "headers")
    column_sortable_list = ("id", "received_at", "attempts")
    column_filters = (
        Exactly("id", (WebhookEvent.gateway_object_id,), "Объект шлюза"),
        Exactly("kind", (WebhookEvent.kind,), "Вид"),
        OneOf("status", WebhookEvent.status, "Состояние", EventStatus),
        OneOf("gateway", WebhookEvent.gateway, "Шлюз", GatewayName),
        OneOf("mode", WebhookEvent.billing_mode, "Режим", BillingMode),
        Since("since", WebhookEvent.received_at, "Получено с"),
        Until("until", WebhookEvent.received_at, "по"),
    )

    def shown(self, row: Any, name: str) -> Any:
        """What is done waits for no other try."""
        if name == "next_attempt_at" and row.status is not EventStatus.RECEIVED:
            return cell(None)
        if name == "verdict":
            return cell(verdict(row.verdict))
        if name == "billing_mode" and row.billing_mode in set(BillingMode):
            return cell(BillingMode(row.billing_mode))
        return super().shown(row, name)

    def body(self, event: WebhookEvent) -> list[bodies.Line] | None:
        """What it says, for the page."""
        return bodies.lines(event)

    def envelope(self, event: WebhookEvent) -> list[tuple[str, str]]:
        """Who called and by what it was proved, for the page."""
        return envelopes.lines(event)

    def payment_of(self, event: WebhookEvent) -> Payment | None:
        """The payment it turned out to speak of."""
        return db.session.get(Payment, event.payment_id) if event.payment_id else None

    def siblings(self, event: WebhookEvent) -> list[WebhookEvent]:
        """Other notifications about the same object or payment, newest first."""
        same = WebhookEvent.gateway_object_id == event.gateway_object_id
        if event.payment_id is not None:
            same |= WebhookEvent.payment_id == event.payment_id
        wanted = select(WebhookEvent).where(same, WebhookEvent.id != event.id)
        return list(db.session.scalars(wanted.order_by(WebhookEvent.id.desc()).limit(_SIBLINGS)))

    @expose("/<int:event_id>/replay")
    @needs(Role.SUPPORT)
    def rehearse(self, event_id: int) -> ResponseReturnValue:
        """What carrying this one out once more would change; nothing is kept."""
        try:
            result = replay.rehearse(event_id, clock.now())
        except replay.NoSuchEvent:
            raise NoSuchPage from None
        except PortalError as error:
            flash(error.message, "bad")
            return redirect(url_for(".details_view", id=event_id), 303)
        event = db.session.get_one(WebhookEvent, event_id)
        return self._page("replay", event=event, result=result)

    @expose("/<int:event_id>/replay", methods=("POST",))
    @needs(Role.OWNER, fresh=True)
    def apply(self, event_id: int) -> ResponseReturnValue:
        """Carry it out once more."""
        reason = request.form.get("reason", "").strip()
        try:
            if not reason:
                raise InvalidRequest("Напишите, почему уведомление применяется ещё раз.")
            result = replay.again(event_id, present.actor(), reason, clock.now())
        except replay.NoSuchEvent:
            raise NoSuchPage from None
        except PortalError as error:
            flash(error.message, "bad")
            return redirect(url_for(".rehearse", event_id=event_id), 303)
        flash("Применено." if result.moves else "Применено: ничего нового в нём не было.", "good")
        return redirect(url_for(".details_view", id=event_id), 303)

    @expose("/replay")
    @needs(Role.SUPPORT)
    def rehearse_range(self) -> str:
        """What replaying many would change: counted, and the first of them carried out and rolled back."""
        asked = _range(request.args)
        fields = [field for field in self.fields() if field.name in _RANGE_FIELDS]
        wanted = asked != Range()
        found = replaying.rehearse(asked, clock.now()) if wanted else None
        latest = db.session.scalars(select(Replay).order_by(Replay.id.desc()).limit(10)).all()
        return self._page("replay_range", range_fields=fields, found=found, latest=latest)

    @expose("/replay", methods=("POST",))
    @needs(Role.OWNER, fresh=True)
    def apply_range(self) -> ResponseReturnValue:
        """Have many replayed by a worker."""
        given = {name: request.form.get(name, "") for name in _RANGE_FIELDS}
        asked = _range(given)
        try:
            if asked == Range():
                raise InvalidRequest("Задайте хотя бы одно условие.")
            number = replaying.order(asked, present.actor(), request.form.get("reason", ""), clock.now())
        except PortalError as error:
            flash(error.message, "bad")
            return redirect(f"{url_for('.rehearse_range')}?{urlencode(given)}", 303)
        return redirect(url_for(".progress", replay_id=number), 303)

    @expose("/replays/<int:replay_id>")
    def progress(self, replay_id: int) -> str:
        """How far a replay of many is."""
        row = db.session.get(Replay, replay_id, populate_existing=True) if replay_id < 2**63 else None
        if row is None:
            raise NoSuchPage
        return self._page("replay_progress", replay=row)

    def _page(self, name: str, **more: Any) -> str:
        page: str = self.render(
            f"admin/events/{name}.html", word=word, words=change_words, verdict=verdict, **more
        )
        return page


_RANGE_FIELDS = ("flt0_gateway", "flt0_status", "flt0_since", "flt0_until")


def _range(given: Mapping[str, str]) -> Range:
    """The conditions out of an address or a form, under the keys of the list; an impossible one narrows
    nothing.
    """
    gateway, status = given.get("flt0_gateway", ""), given.get("flt0_status", "")
    until = _day(given.get("flt0_until", ""))
    return Range(
        GatewayName(gateway) if gateway in set(GatewayName) else None,
        EventStatus(status) if status in set(EventStatus) else None,
        _day(given.get("flt0_since", "")),
        until and until + timedelta(days=1),
    )


def _day(text: str) -> datetime | None:
    """The first moment of a day on the shop's clock."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    if not 1900 < found.year < 9999:
        return None
    return datetime.combine(found, time(), ZoneInfo(running.config().tz_display))
