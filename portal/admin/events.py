"""The notifications as they came (the seed's WebhookLog)."""

from __future__ import annotations

from portal.admin.filters import Exactly, OneOf, Since, Until
from portal.admin.rows import Rows
from portal.models import BillingMode, EventStatus, GatewayName, WebhookEvent


class Events(Rows):
    """The inbox; bodies hold tokens and are not shown."""

    column_list = (
        "id",
        "received_at",
        "gateway",
        "kind",
        "status",
        "verdict",
        "gateway_object_id",
        "billing_mode",
        "payment_id",
        "attempts",
        "last_error",
    )
    column_details_exclude_list = ("raw_payload",)
    column_sortable_list = ("id", "received_at", "attempts")
    column_filters = (
        Exactly("id", (WebhookEvent.gateway_object_id,), "Объект шлюза"),
        Exactly("kind", (WebhookEvent.kind,), "Вид"),
        OneOf("status", WebhookEvent.status, "Состояние", EventStatus),
        OneOf("gateway", WebhookEvent.gateway, "Шлюз", GatewayName),
        OneOf("mode", WebhookEvent.billing_mode, "Режим (billing_mode)", BillingMode),
        Since("since", WebhookEvent.received_at, "Получено с"),
        Until("until", WebhookEvent.received_at, "по"),
    )
