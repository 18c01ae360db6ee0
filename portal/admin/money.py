"""Lists of what was paid, sent back, agreed and saved. Nothing about money can be edited here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from sqlalchemy import select

from portal.admin.filters import Customer, EitherId, Exactly, OneOf, Since, Until, YesNo, customers_like
from portal.admin.rows import Rows
from portal.admin.story import reason_in_short
from portal.billing import extending
from portal.database import db
from portal.gateways import titles
from portal.models import (
    BillingMode,
    GatewayCall,
    GatewayName,
    Payment,
    PaymentMethod,
    PurchasedPlan,
    Refund,
    RefundSource,
    RefundStatus,
    Revocation,
    Subscription,
    SubscriptionStatus,
    User,
)

#: So many rows of each kind stand on a page; the lists have the rest.
_SOME = 20


class RefundOf(Customer):
    """By the address of the customer whose payment it is of."""

    def condition(self, value: Any) -> Any:
        """Through the payment."""
        return self.column.in_(select(Payment.id).where(Payment.user_id.in_(customers_like(value))))


def _of_payment(column: Any) -> Any:
    """What a refund's payment says."""
    return select(column).where(Payment.id == Refund.payment_id).scalar_subquery()


class Refunds(Rows):
    """Money that went back, or is on its way."""

    one = "Возврат"
    what = "Каждый возврат — отдельная строка; по одному платежу их может быть несколько."
    details_template = "admin/refunds/details.html"
    column_list = (
        "id",
        "created_at",
        "payment_id",
        "amount",
        "status",
        "source",
        "reason",
    )
    beneath: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "payment_id": ("gateway",),
        "status": ("failure_code", "finished_at"),
    }
    wrapping_columns = Rows.wrapping_columns | {"status"}
    column_details_exclude_list = ("key", "form_key")
    column_sortable_list = ("id", "created_at", "amount")
    column_filters = (
        EitherId("id", Refund.gateway_refund_id, "Номер у шлюза"),
        RefundOf("customer", Refund.payment_id, "Клиент"),
        OneOf("status", Refund.status, "Состояние", RefundStatus),
        OneOf("source", Refund.source, "Кто попросил", RefundSource),
        OneOf("gateway", Refund.gateway, "Шлюз", GatewayName),
        Since("since", Refund.created_at, "Создан с"),
        Until("until", Refund.created_at, "по"),
        Since("done-since", Refund.finished_at, "Закончен с"),
        Until("done-until", Refund.finished_at, "по"),
        OneOf("mode", _of_payment(Payment.billing_mode), "Режим", BillingMode),
        YesNo("test", _of_payment(Payment.test_mode), "Тестовый"),
    )

    def shown(self, row: Any, name: str) -> Any:
        """A refusal in words."""
        if name == "failure_code" and row.failure_code:
            return reason_in_short(row.gateway, row.failure_code)
        return super().shown(row, name)

    def more(self, row: Any) -> dict[str, Any]:
        """Whose it is, and the calls that were made for it."""
        payment = db.session.get(Payment, row.payment_id or 0)
        calls = select(GatewayCall).where(GatewayCall.refund_id == row.id).order_by(GatewayCall.id)
        return {
            "payment": payment,
            "customer": db.session.get(User, payment.user_id) if payment else None,
            "calls": db.session.scalars(calls).all(),
        }


class Subscriptions(Rows):
    """The standing agreements."""

    one = "Подписка"
    what = "Кто на каком тарифе, до какого дня оплачено и когда следующее списание."
    wide_columns = frozenset({"created_at"})
    details_template = "admin/subscriptions/details.html"
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
        YesNo("renews", Subscription.auto_renew, "Продлевается"),
        Since("due-since", Subscription.charge_due_at, "Списание с"),
        Until("due-until", Subscription.charge_due_at, "по"),
    )

    def more(self, row: Any) -> dict[str, Any]:
        """Its periods, what was charged for it, and the days that were given."""
        periods = select(PurchasedPlan).where(PurchasedPlan.subscription_id == row.id)
        found = db.session.scalars(periods.order_by(PurchasedPlan.id.desc()).limit(_SOME)).all()
        bought = [period.payment_id for period in found]
        own = (Payment.subscription_id == row.id) | Payment.id.in_(bought)
        paid = (
            select(Payment)
            .where(Payment.user_id == row.user_id, own)
            .order_by(Payment.id.desc())
            .limit(_SOME)
        )
        return {
            "periods": found,
            "payments": db.session.scalars(paid).all(),
            "extensions": extending.of_periods([period.id for period in found]),
        }


class Periods(Rows):
    """One paid period per row, each made by one payment."""

    one = "Оплаченный период"
    what = "Каждый оплаченный срок: с какого и по какой день, сколько писем в нём и сколько отправлено."
    column_list = (
        "id",
        "user_id",
        "plan_title",
        "starts_at",
        "ends_at",
        "email_quota",
        "emails_used",
        "payment_id",
        "revoked_because",
    )
    beneath: ClassVar[Mapping[str, tuple[str, ...]]] = {"revoked_because": ("revoked_at",)}
    # The code and the title as they were bought say it all.
    column_details_exclude_list = ("plan_id",)
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

    one = "Способ оплаты"
    what = "Сохранённые карты и счета, с которых списываются продления. Номеров карт здесь нет."
    column_list = (
        "id",
        "user_id",
        "title",
        "gateway",
        "created_at",
        "stopped_at",
        "detached_at",
    )
    column_sortable_list = ("id", "created_at")
    beneath: ClassVar[Mapping[str, tuple[str, ...]]] = {"title": ("bank",)}
    column_details_exclude_list = ("token", "fingerprint")
    column_filters = (
        Customer("customer", PaymentMethod.user_id, "Клиент"),
        Exactly("last4", (PaymentMethod.last4,), "Последние цифры"),
        OneOf("gateway", PaymentMethod.gateway, "Шлюз", GatewayName),
        YesNo("living", PaymentMethod.detached_at.is_(None), "Привязан"),
    )

    def shown(self, row: Any, name: str) -> Any:
        """Its kind as customers read it."""
        return titles.KINDS.get(row.kind, row.kind) if name == "kind" else super().shown(row, name)
