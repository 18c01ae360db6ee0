"""One attempt to take money, through either gateway."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.billing_mode import BillingMode
from portal.database import Base
from portal.models.base import Amount, Moment, identity, one_of
from portal.models.plan import Plan
from portal.models.user import User


class PaymentStatus(StrEnum):
    """Where a payment stands. "Refunded" is a sum, not a status."""

    PENDING = "pending"
    AUTHORIZED = "authorized"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


class PaymentPurpose(StrEnum):
    """Why the money is asked for."""

    PURCHASE = "purchase"
    RENEWAL = "renewal"
    #: Another plan at once; what is left of the present one is credited.
    CHANGE = "change"
    #: A small sum at CloudPayments that saves a card and goes straight back.
    BINDING = "binding"
    LIVE_CHECK = "live_check"


class GatewayName(StrEnum):
    """The two gateways."""

    CLOUDPAYMENTS = "cloudpayments"
    YOOKASSA = "yookassa"


#: The table of moves. A failed payment may still succeed: a second card in the same widget, or a truth that
#: came late.
MOVES: Mapping[PaymentStatus, frozenset[PaymentStatus]] = {
    PaymentStatus.PENDING: frozenset(
        {PaymentStatus.AUTHORIZED, PaymentStatus.SUCCEEDED, PaymentStatus.FAILED, PaymentStatus.UNKNOWN}
    ),
    PaymentStatus.AUTHORIZED: frozenset({PaymentStatus.SUCCEEDED, PaymentStatus.FAILED}),
    PaymentStatus.UNKNOWN: frozenset(
        {PaymentStatus.AUTHORIZED, PaymentStatus.SUCCEEDED, PaymentStatus.FAILED, PaymentStatus.PENDING}
    ),
    PaymentStatus.FAILED: frozenset({PaymentStatus.AUTHORIZED, PaymentStatus.SUCCEEDED}),
    PaymentStatus.SUCCEEDED: frozenset(),
}

OPEN = frozenset({PaymentStatus.PENDING, PaymentStatus.AUTHORIZED, PaymentStatus.UNKNOWN})

#: Purposes of what a customer orders at a page; there is one open order per customer and plan.
ORDERED = frozenset({PaymentPurpose.PURCHASE, PaymentPurpose.CHANGE})
#: Purposes whose success gives a period of a plan.
BUYS = frozenset({PaymentPurpose.PURCHASE, PaymentPurpose.RENEWAL, PaymentPurpose.CHANGE})


class Payment(Base):
    """One order at one gateway. Its terms are frozen when it is written, before any gateway hears of it."""

    __tablename__ = "payments"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint("refunded_amount >= 0 AND refunded_amount <= amount", name="refunded_within_amount"),
        CheckConstraint("refunded_amount = 0 OR status = 'succeeded'", name="refunded_only_when_paid"),
        CheckConstraint("(status = 'succeeded') = (paid_at IS NOT NULL)", name="paid_at_when_paid"),
        CheckConstraint(
            "status <> 'succeeded' OR gateway_payment_id IS NOT NULL", name="gateway_id_when_paid"
        ),
        CheckConstraint(
            "purpose IN ('live_check', 'binding') OR plan_id IS NOT NULL", name="plan_when_bought"
        ),
        CheckConstraint(
            "(purpose = 'renewal') = (attempt > 0)"
            " AND (purpose <> 'renewal' OR (subscription_id IS NOT NULL AND period_start IS NOT NULL"
            " AND payment_method_id IS NOT NULL AND consent_id IS NOT NULL))",
            name="renewal_is_frozen",
        ),
        CheckConstraint("credit >= 0", name="credit_not_negative"),
        # The credit of a change may be nothing: of a plan whose e-mails are all used, say.
        CheckConstraint(
            "(purpose = 'change') = (replaces_payment_id IS NOT NULL)"
            " AND (credit = 0 OR replaces_payment_id IS NOT NULL)",
            name="credit_of_a_payment",
        ),
        CheckConstraint("replaced_emails_used >= 0", name="replaced_emails_used_not_negative"),
        Index(
            "uq_payments_gateway_payment_id",
            "gateway",
            "gateway_payment_id",
            unique=True,
            postgresql_where=text("gateway_payment_id IS NOT NULL"),
        ),
        # One open order per customer and plan: two clicks in one second meet here.
        Index(
            "uq_payments_open_order",
            "user_id",
            "plan_id",
            unique=True,
            postgresql_where=text(
                "status IN ('pending', 'authorized', 'unknown')"
                " AND purpose IN ('purchase', 'change') AND superseded_at IS NULL"
            ),
        ),
        # Law 2: each attempt at a period is one row, one attempt at a time, and one of them takes the money
        # (another may once all of that went back).
        Index(
            "uq_payments_renewal_attempt",
            "subscription_id",
            "period_start",
            "attempt",
            unique=True,
            postgresql_where=text("purpose = 'renewal'"),
        ),
        Index(
            "uq_payments_renewal_open",
            "subscription_id",
            unique=True,
            postgresql_where=text("purpose = 'renewal' AND status IN ('pending', 'authorized', 'unknown')"),
        ),
        Index(
            "uq_payments_renewal_paid",
            "subscription_id",
            "period_start",
            unique=True,
            postgresql_where=text(
                "purpose = 'renewal' AND status = 'succeeded' AND refunded_amount < amount"
            ),
        ),
        Index(
            "ix_payments_unlisted",
            "gateway",
            "paid_at",
            postgresql_where=text("status = 'succeeded' AND listed_at IS NULL"),
        ),
        Index("ix_payments_history", "user_id", text("id DESC")),
        # What the desk searches by, the latest first: the rare is found without walking past all others.
        Index("ix_payments_status", "status", text("id DESC")),
        Index("ix_payments_purpose", "purpose", text("id DESC")),
        Index("ix_payments_plan_code", "plan_code", text("id DESC")),
        Index(
            "ix_payments_failure_code",
            "failure_code",
            text("id DESC"),
            postgresql_where=text("failure_code IS NOT NULL"),
        ),
        # A card's last four digits end its title.
        Index("ix_payments_last_four", text('"right"(method_title, 5)')),
        Index(
            "ix_payments_payment_method_id",
            "payment_method_id",
            postgresql_where=text("payment_method_id IS NOT NULL"),
        ),
        # Whatever is counted by days reads through these.
        Index("ix_payments_created_at", "created_at"),
        Index("ix_payments_paid_at", "paid_at", postgresql_where=text("paid_at IS NOT NULL")),
        Index(
            "ix_payments_next_check_at", "next_check_at", postgresql_where=text("next_check_at IS NOT NULL")
        ),
    )

    id: Mapped[int] = identity()
    #: Public id; also CloudPayments' InvoiceId, YooKassa's metadata.payment_id and the idempotency key.
    transaction_id: Mapped[str] = mapped_column(String(36), unique=True)
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id"))
    plan_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("plans.id"))
    gateway: Mapped[GatewayName] = mapped_column(one_of(GatewayName, "gateway"))
    #: Their id; for CloudPayments that of the attempt that took (or holds) the money.
    gateway_payment_id: Mapped[str | None] = mapped_column(String(64))
    purpose: Mapped[PaymentPurpose] = mapped_column(
        one_of(PaymentPurpose, "purpose"), default=PaymentPurpose.PURCHASE
    )
    status: Mapped[PaymentStatus] = mapped_column(
        one_of(PaymentStatus, "status"), default=PaymentStatus.PENDING
    )
    amount: Mapped[Decimal] = mapped_column(Amount)
    currency: Mapped[str] = mapped_column(String(3))
    refunded_amount: Mapped[Decimal] = mapped_column(Amount, default=Decimal("0.00"))
    billing_mode: Mapped[BillingMode] = mapped_column(one_of(BillingMode, "billing_mode"))
    #: What the shop's terminal was when the order was made: a success of the other mode activates nothing.
    test_mode: Mapped[bool]

    # The plan's terms, frozen.
    plan_code: Mapped[str] = mapped_column(String(64), default="")
    plan_title: Mapped[str] = mapped_column(String(120), default="")
    period_days: Mapped[int] = mapped_column(default=0)
    email_quota: Mapped[int] = mapped_column(default=0)
    description: Mapped[str] = mapped_column(String(128))
    #: What its fiscal receipt says, where one is sent (gateways.shop.ReceiptTerms).
    receipt: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))

    # A renewal's frozen cycle.
    # use_alter: a subscription speaks of a consent, and a consent of a payment.
    subscription_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("subscriptions.id", use_alter=True)
    )
    #: Where the period that it buys begins: where the paid one ends.
    period_start: Mapped[datetime | None] = mapped_column(Moment)
    #: 1, 2, ... within its period; 0 for what is no renewal.
    attempt: Mapped[int] = mapped_column(default=0)
    payment_method_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("payment_methods.id"))
    consent_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("consents.id", use_alter=True))

    # A change's frozen terms.
    #: What was left of the present period when the change was ordered; taken off the new plan's price.
    credit: Mapped[Decimal] = mapped_column(Amount, default=Decimal("0.00"))
    #: The payment whose period gives the credit and ends with this one's success.
    replaces_payment_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("payments.id"))
    #: E-mails used of that period when the change was ordered: what is used after counts against the new one.
    replaced_emails_used: Mapped[int] = mapped_column(default=0)

    #: YooKassa's page for the payer, while it lives.
    confirmation_url: Mapped[str | None] = mapped_column(String(2048))
    method_title: Mapped[str | None] = mapped_column(String(120))
    #: The gateway's own code of the last refusal; gateways.declines has the sentence.
    failure_code: Mapped[str | None] = mapped_column(String(64))

    created_at: Mapped[datetime] = mapped_column(Moment)
    #: After this a new attempt is not let in.
    expires_at: Mapped[datetime] = mapped_column(Moment)
    paid_at: Mapped[datetime | None] = mapped_column(Moment)
    #: What the gateway keeps of it, once it has said so.
    fee: Mapped[Decimal | None] = mapped_column(Amount)
    #: When the gateway's own list, or its answer about this very payment, was first seen to agree.
    listed_at: Mapped[datetime | None] = mapped_column(Moment)
    failed_at: Mapped[datetime | None] = mapped_column(Moment)
    #: When it was refused first; stays although a later try took the money.
    refused_at: Mapped[datetime | None] = mapped_column(Moment)
    #: The customer went on with another order for the same plan; this one may still end either way.
    superseded_at: Mapped[datetime | None] = mapped_column(Moment)
    #: When the sweep asks the gateway again; empty when there is nothing left to ask.
    next_check_at: Mapped[datetime | None] = mapped_column(Moment)
    checks: Mapped[int] = mapped_column(default=0)
    #: When the gateway was last called to begin it; "not there" proves nothing before its answer limit.
    called_at: Mapped[datetime | None] = mapped_column(Moment)
    #: When a return page last asked the gateway; in the future while it is asking.
    asked_at: Mapped[datetime | None] = mapped_column(Moment)

    user: Mapped[User] = relationship(lazy="raise")
    plan: Mapped[Plan | None] = relationship(lazy="raise")

    @property
    def is_open(self) -> bool:
        """Money may still come without a new order."""
        return self.status in OPEN

    @property
    def activates(self) -> bool:
        """Whether its success gives the customer a period of a plan."""
        return self.purpose in BUYS

    def __repr__(self) -> str:
        """The public id is enough to find everything."""
        return f"<Payment {self.transaction_id} {self.status}>"


def may_move(old: PaymentStatus, new: PaymentStatus) -> bool:
    """Whether the table allows the move."""
    return new in MOVES[old]
