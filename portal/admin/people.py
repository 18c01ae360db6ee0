"""Customers and operators, and what they were written."""

from __future__ import annotations

from portal.admin.filters import Contains, Customer, Exactly, OneOf, Since, Until, YesNo
from portal.admin.rows import Rows
from portal.models import Channel, Notification, Role, User


class People(Rows):
    """Customers and operators."""

    column_list = ("id", "email", "role", "totp_since", "email_confirmed_at", "created_at", "disabled_at")
    column_details_exclude_list = ("password_hash", "totp_secret", "totp_last_step")
    column_sortable_list = ("id", "email", "created_at")
    column_filters = (
        Contains("email", User.email, "Почта"),
        Exactly("id", (User.public_id,), "Номер у шлюзов"),
        OneOf("role", User.role, "Роль", Role),
        YesNo("disabled", User.disabled_at.is_not(None), "Отключён"),
    )


class Letters(Rows):
    """The outbox: notices in the portal and by e-mail."""

    what = "Что и кому сообщил портал; неотправленное он пробует снова сам."
    column_list = ("id", "created_at", "user_id", "kind", "channel", "sent_at", "attempts", "last_error")
    column_sortable_list = ("id", "created_at", "sent_at")
    column_filters = (
        Customer("customer", Notification.user_id, "Клиент"),
        Exactly("kind", (Notification.kind,), "Вид"),
        OneOf("channel", Notification.channel, "Куда", Channel),
        YesNo("sent", Notification.sent_at.is_not(None), "Отправлено"),
        Since("since", Notification.created_at, "Создано с"),
        Until("until", Notification.created_at, "по"),
    )
