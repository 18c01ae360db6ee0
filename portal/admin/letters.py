"""What customers were written, and writing it once more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from flask import abort, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_login import current_user

from portal import clock
from portal.accounts import present
from portal.admin.access import needs
from portal.admin.acts import Act, carried_out
from portal.admin.filters import Customer, OneOf, Since, Until, YesNo
from portal.admin.rows import Rows
from portal.admin.story import LETTERS, said
from portal.admin.words import cell
from portal.billing import on_behalf
from portal.database import db
from portal.models import Channel, Notification, Role, User


class Letters(Rows):
    """The outbox: notices in the portal and by e-mail."""

    one = "Письмо"
    what = "Что и кому сообщил портал; неотправленное он пробует снова сам."
    details_template = "admin/notifications/details.html"
    column_list = ("id", "created_at", "user_id", "kind", "channel", "sent_at", "attempts")
    beneath: ClassVar[Mapping[str, tuple[str, ...]]] = {"sent_at": ("last_error",)}
    column_details_exclude_list = ("dedupe_key",)
    column_sortable_list = ("id", "created_at", "sent_at")
    column_filters = (
        Customer("customer", Notification.user_id, "Клиент"),
        OneOf("kind", Notification.kind, "О чём", LETTERS.items()),
        OneOf("channel", Notification.channel, "Куда", Channel),
        YesNo("sent", Notification.sent_at.is_not(None), "Отправлено"),
        Since("since", Notification.created_at, "Создано с"),
        Until("until", Notification.created_at, "по"),
    )

    def shown(self, row: Any, name: str) -> Any:
        """Kinds by their words; what was sent waits for no other try."""
        if name == "next_attempt_at" and row.sent_at is not None:
            return cell(None)
        return said(name, row.kind) if name == "kind" else super().shown(row, name)

    def more(self, row: Any) -> dict[str, Any]:
        """Whether it may be sent again."""
        return {"may_resend": current_user.may(Role.SUPPORT) and on_behalf.may_be_sent_again(row)}

    @expose("/resend/", methods=("GET", "POST"))
    @needs(Role.SUPPORT)
    def resend(self) -> ResponseReturnValue:
        """Send a letter once more."""
        number = request.args.get("id", "")
        numeric = number.isascii() and number.isdigit() and len(number) <= 18
        letter = db.session.get(Notification, int(number)) if numeric else None
        if letter is None:
            abort(404)

        def send(reason: str, form_key: str) -> str:
            made = on_behalf.send_again(letter.id, present.actor(), reason, form_key, clock.now())
            return f"Письмо отправляем ещё раз, это № {made}."

        address = db.session.get_one(User, letter.user_id).email
        act = Act(
            title=f"Повторить письмо № {letter.id}",
            says=(
                f"На {address} уйдёт то же письмо: «{LETTERS.get(letter.kind, letter.kind)}».",
                "Это будет новая запись; прежняя останется как была.",
                "Если за это время написанное перестало быть верным, письмо не уйдёт.",
            ),
            button="Отправить ещё раз",
            back=url_for(".details_view", id=letter.id),
            back_label=f"Письмо № {letter.id}",
        )
        return carried_out(self, act, send)
