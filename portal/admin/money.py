"""Lists of what was paid, sent back, agreed and saved. Nothing about money can be edited here."""

from __future__ import annotations

from portal.admin.filters import Customer, Exactly, OneOf, Since, Until, YesNo
from portal.admin.rows import Rows
from portal.models import (
    BillingMode,
    Case,
    CaseKind,
    GatewayName,
    Payment,
    PaymentMethod,
    PaymentPurpose,
    PaymentStatus,
    PurchasedPlan,
    Refund,
    RefundSource,
    RefundStatus,
    Revocation,
    Subscription,
    SubscriptionStatus,
)


class Payments(Rows):
    """Payments at both gateways."""

    what = "Все заказы обоих шлюзов, новые сверху."
    column_list = (
        "id",
        "created_at",
        "user_id",
        "plan_title",
        "amount",
        "status",
        "refunded_amount",
        "purpose",
        "gateway",
        "billing_mode",
        "method_title",
        "failure_code",
    )
    column_details_exclude_list = ("confirmation_url",)
    column_sortable_list = ("id", "created_at", "amount")
    column_filters = (
        Exactly("id", (Payment.transaction_id, Payment.gateway_payment_id), "Номер: наш, шлюза"),
        Customer("customer", Payment.user_id, "Клиент"),
        OneOf("status", Payment.status, "Состояние", PaymentStatus),
        OneOf("gateway", Payment.gateway, "Шлюз", GatewayName),
        OneOf("purpose", Payment.purpose, "За что", PaymentPurpose),
        OneOf("mode", Payment.billing_mode, "Режим", BillingMode),
        YesNo("test", Payment.test_mode, "Тестовый"),
        Exactly("plan", (Payment.plan_code,), "Код тарифа"),
        Exactly("reason", (Payment.failure_code,), "Причина отказа"),
        Since("since", Payment.created_at, "Создан с"),
        Until("until", Payment.created_at, "по"),
    )


class Refunds(Rows):
    """Money that went back, or is on its way."""

    what = "Каждый возврат — отдельная строка; по одному платежу их может быть несколько."
    column_list = (
        "id",
        "created_at",
        "payment_id",
        "amount",
        "status",
        "source",
        "reason",
        "gateway",
        "failure_code",
        "finished_at",
    )
    column_details_exclude_list = ("key",)
    column_sortable_list = ("id", "created_at", "amount")
    column_filters = (
        Exactly("id", (Refund.gateway_refund_id,), "Номер у шлюза"),
        OneOf("status", Refund.status, "Состояние", RefundStatus),
        OneOf("source", Refund.source, "Кто попросил", RefundSource),
        OneOf("gateway", Refund.gateway, "Шлюз", GatewayName),
        Since("since", Refund.created_at, "Создан с"),
        Until("until", Refund.created_at, "по"),
    )


class Subscriptions(Rows):
    """The standing agreements."""

    column_list = (
        "id",
        "user_id",
        "plan_id",
        "status",
        "current_period_start",
        "current_period_end",
        "auto_renew",
        "charge_due_at",
        "created_at",
    )
    column_sortable_list = ("id", "current_period_end", "charge_due_at", "created_at")
    column_filters = (
        Customer("customer", Subscription.user_id, "Клиент"),
        OneOf("status", Subscription.status, "Состояние", SubscriptionStatus),
        YesNo("renews", Subscription.auto_renew, "Автопродление"),
        Since("due-since", Subscription.charge_due_at, "Списание с"),
        Until("due-until", Subscription.charge_due_at, "по"),
    )


class Periods(Rows):
    """One paid period per row, each made by one payment."""

    column_list = (
        "id",
        "user_id",
        "plan_title",
        "starts_at",
        "ends_at",
        "email_quota",
        "emails_used",
        "payment_id",
        "revoked_at",
        "revoked_because",
    )
    column_sortable_list = ("id", "starts_at", "ends_at")
    column_filters = (
        Customer("customer", PurchasedPlan.user_id, "Клиент"),
        Exactly("plan", (PurchasedPlan.plan_code,), "Код тарифа"),
        OneOf("because", PurchasedPlan.revoked_because, "Отозван", Revocation),
        Since("ends-since", PurchasedPlan.ends_at, "Кончается с"),
        Until("ends-until", PurchasedPlan.ends_at, "по"),
    )


class Methods(Rows):
    """Saved cards and accounts, by what a customer would know them by."""

    column_list = (
        "id",
        "user_id",
        "title",
        "kind",
        "bank",
        "gateway",
        "created_at",
        "stopped_at",
        "detached_at",
    )
    column_details_exclude_list = ("token", "fingerprint")
    column_filters = (
        Customer("customer", PaymentMethod.user_id, "Клиент"),
        Exactly("last4", (PaymentMethod.last4,), "Последние цифры"),
        OneOf("gateway", PaymentMethod.gateway, "Шлюз", GatewayName),
        YesNo("living", PaymentMethod.detached_at.is_(None), "Привязан"),
    )


class Cases(Rows):
    """What the portal would not decide alone."""

    what = "Что портал не стал решать сам: здесь нужен человек."
    column_list = (
        "id",
        "opened_at",
        "kind",
        "gateway",
        "gateway_payment_id",
        "amount",
        "currency",
        "resolved_at",
    )
    column_sortable_list = ("id", "opened_at")
    column_filters = (
        YesNo("open", Case.resolved_at.is_(None), "Не решён"),
        OneOf("kind", Case.kind, "Вид", CaseKind),
        OneOf("gateway", Case.gateway, "Шлюз", GatewayName),
        Exactly("id", (Case.gateway_payment_id,), "Номер у шлюза"),
    )
