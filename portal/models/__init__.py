"""What is true. One file per noun: columns, constraints, predicates, the table of allowed moves."""

from __future__ import annotations

from portal.billing_mode import BillingMode
from portal.models.account_link import AccountLink, LinkPurpose
from portal.models.api_key import ApiKey
from portal.models.audit_entry import AuditEntry
from portal.models.card_request import CardRequest
from portal.models.case import Case, CaseChoice, CaseKind
from portal.models.consent import Consent
from portal.models.figure import DailyFigure, FigureDay, FigureFamily, FigureTouch
from portal.models.gateway_call import GatewayCall, Operation
from portal.models.method_binding import BindingStatus, MethodBinding
from portal.models.notification import Channel, Notification
from portal.models.payment import GatewayName, Payment, PaymentPurpose, PaymentStatus
from portal.models.payment_method import PaymentMethod
from portal.models.payment_move import PaymentMove
from portal.models.period_extension import PeriodExtension
from portal.models.plan import Plan
from portal.models.price_move import PriceMove, PriceNotice, PriceOutcome
from portal.models.purchased_plan import PurchasedPlan, Revocation
from portal.models.receipt import Receipt
from portal.models.reconciliation import (
    Discrepancy,
    ReconciliationDay,
    ReconciliationLine,
    ReconciliationRun,
    Remedy,
    RunOrigin,
)
from portal.models.recovery_code import RecoveryCode
from portal.models.refund import Refund, RefundSource, RefundStatus
from portal.models.replay import Replay
from portal.models.schedule_run import ScheduleRun
from portal.models.setting import Setting
from portal.models.subscription import Subscription, SubscriptionStatus
from portal.models.usage_record import UsageRecord
from portal.models.user import Role, User
from portal.models.user_session import UserSession
from portal.models.webhook_event import EventStatus, WebhookEvent

__all__ = [
    "AccountLink",
    "ApiKey",
    "AuditEntry",
    "BillingMode",
    "BindingStatus",
    "CardRequest",
    "Case",
    "CaseChoice",
    "CaseKind",
    "Channel",
    "Consent",
    "DailyFigure",
    "Discrepancy",
    "EventStatus",
    "FigureDay",
    "FigureFamily",
    "FigureTouch",
    "GatewayCall",
    "GatewayName",
    "LinkPurpose",
    "MethodBinding",
    "Notification",
    "Operation",
    "Payment",
    "PaymentMethod",
    "PaymentMove",
    "PaymentPurpose",
    "PaymentStatus",
    "PeriodExtension",
    "Plan",
    "PriceMove",
    "PriceNotice",
    "PriceOutcome",
    "PurchasedPlan",
    "Receipt",
    "ReconciliationDay",
    "ReconciliationLine",
    "ReconciliationRun",
    "RecoveryCode",
    "Refund",
    "RefundSource",
    "RefundStatus",
    "Remedy",
    "Replay",
    "Revocation",
    "Role",
    "RunOrigin",
    "ScheduleRun",
    "Setting",
    "Subscription",
    "SubscriptionStatus",
    "UsageRecord",
    "User",
    "UserSession",
    "WebhookEvent",
]
