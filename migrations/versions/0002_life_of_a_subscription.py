"""The life of a subscription: renewals, changes of plan, refunds under way, quota and keys of the product.

Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_OPEN_ORDER = "status IN ('pending', 'authorized', 'unknown') AND purpose {} AND superseded_at IS NULL"
_CASES = (
    "unknown_payment amount_mismatch currency_mismatch account_mismatch shop_mismatch test_mode_mismatch "
    "gateway_mismatch second_capture unknown_refund refund_above_capture unknown_too_old unreadable"
)
_NEW_CASES = f"{_CASES} refund_failed renewal_refused notice_unsent"


def upgrade() -> None:
    """Apply it."""
    _keys_and_usage()
    _agreements()
    _payments()
    _refunds()
    _subscriptions()
    _words("cases", "kind", _NEW_CASES.split())


def _keys_and_usage() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("prefix", sa.String(16), nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("revoked_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_keys_key_hash")),
    )
    op.create_table(
        "usage_records",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("purchased_plan_id", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("idempotency_key", sa.String(120), nullable=False),
        sa.Column("emails_left", sa.Integer(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_usage_records_quantity_positive")),
        sa.ForeignKeyConstraint(
            ["purchased_plan_id"],
            ["purchased_plans.id"],
            name=op.f("fk_usage_records_purchased_plan_id_purchased_plans"),
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_usage_records_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_records")),
    )
    op.create_index("ix_usage_records_period", "usage_records", ["purchased_plan_id", "created_at"])
    op.create_index("uq_usage_records_key", "usage_records", ["user_id", "idempotency_key"], unique=True)


def _agreements() -> None:
    """Terms beside the sum; those of agreements made so far are their payment's."""
    op.add_column("consents", sa.Column("plan_id", sa.BigInteger()))
    op.add_column("consents", sa.Column("plan_code", sa.String(64)))
    op.add_column("consents", sa.Column("plan_title", sa.String(120)))
    op.add_column("consents", sa.Column("email_quota", sa.Integer()))
    op.add_column("consents", sa.Column("withdrawn_because", sa.String(20)))
    op.execute(
        "UPDATE consents SET plan_id = p.plan_id, plan_code = p.plan_code, plan_title = p.plan_title, "
        "email_quota = p.email_quota FROM payments p WHERE p.id = consents.payment_id"
    )
    for column in ("plan_id", "plan_code", "plan_title", "email_quota"):
        op.alter_column("consents", column, nullable=False)
    op.create_foreign_key(op.f("fk_consents_plan_id_plans"), "consents", "plans", ["plan_id"], ["id"])
    op.add_column("payment_methods", sa.Column("preferred_at", _MOMENT))
    op.add_column("payment_methods", sa.Column("stopped_at", _MOMENT))
    op.add_column("payment_methods", sa.Column("stop_code", sa.String(64)))
    op.execute("UPDATE payment_methods SET preferred_at = created_at")
    op.alter_column("payment_methods", "preferred_at", nullable=False)


def _payments() -> None:
    for column in (
        sa.Column("subscription_id", sa.BigInteger()),
        sa.Column("period_start", _MOMENT),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("payment_method_id", sa.BigInteger()),
        sa.Column("consent_id", sa.BigInteger()),
        sa.Column("credit", sa.Numeric(12, 2), server_default="0", nullable=False),
        sa.Column("replaces_payment_id", sa.BigInteger()),
    ):
        op.add_column("payments", column)
    op.alter_column("payments", "attempt", server_default=None)
    op.alter_column("payments", "credit", server_default=None)
    for column_name, table in (
        ("subscription_id", "subscriptions"),
        ("payment_method_id", "payment_methods"),
        ("consent_id", "consents"),
        ("replaces_payment_id", "payments"),
    ):
        name = op.f(f"fk_payments_{column_name}_{table}")
        op.create_foreign_key(name, "payments", table, [column_name], ["id"])
    _words("payments", "purpose", "purchase renewal change binding live_check".split())
    _check("payments", "plan_when_bought", "purpose IN ('live_check', 'binding') OR plan_id IS NOT NULL")
    _check(
        "payments",
        "renewal_is_frozen",
        "(purpose = 'renewal') = (attempt > 0)"
        " AND (purpose <> 'renewal' OR (subscription_id IS NOT NULL AND period_start IS NOT NULL"
        " AND payment_method_id IS NOT NULL AND consent_id IS NOT NULL))",
    )
    _check("payments", "credit_not_negative", "credit >= 0")
    _check("payments", "credit_of_a_payment", "(credit = 0) = (replaces_payment_id IS NULL)")
    _one_open_order("IN ('purchase', 'change')")
    attempt = ["subscription_id", "period_start", "attempt"]
    for name, columns, condition in (
        ("uq_payments_renewal_attempt", attempt, ""),
        ("uq_payments_renewal_open", attempt[:1], " AND status IN ('pending', 'authorized', 'unknown')"),
        ("uq_payments_renewal_paid", attempt[:2], " AND status = 'succeeded'"),
    ):
        where = sa.text(f"purpose = 'renewal'{condition}")
        op.create_index(name, "payments", columns, unique=True, postgresql_where=where)


def _refunds() -> None:
    reason = sa.Enum(
        "refunded",
        "canceled",
        "replaced",
        name=op.f("ck_purchased_plans_revoked_because"),
        native_enum=False,
        create_constraint=True,
        length=20,
    )
    op.add_column("purchased_plans", sa.Column("revoked_because", reason))
    op.execute("UPDATE purchased_plans SET revoked_because = 'refunded' WHERE revoked_at IS NOT NULL")
    _check("purchased_plans", "revoked_for_a_reason", "(revoked_at IS NULL) = (revoked_because IS NULL)")
    op.add_column("refunds", sa.Column("called_at", _MOMENT))
    op.add_column("refunds", sa.Column("next_check_at", _MOMENT))
    op.add_column("refunds", sa.Column("checks", sa.Integer(), server_default="0", nullable=False))
    op.alter_column("refunds", "checks", server_default=None)
    where = sa.text("next_check_at IS NOT NULL")
    op.create_index("ix_refunds_next_check_at", "refunds", ["next_check_at"], postgresql_where=where)


def _subscriptions() -> None:
    op.add_column("subscriptions", sa.Column("consent_id", sa.BigInteger()))
    op.create_foreign_key(
        op.f("fk_subscriptions_consent_id_consents"), "subscriptions", "consents", ["consent_id"], ["id"]
    )
    for name in ("charge_due_at", "charge_look_at", "look_at", "held_since", "grace_until"):
        op.add_column("subscriptions", sa.Column(name, _MOMENT))
    for name in ("look_at", "charge_look_at"):
        where = sa.text(f"{name} IS NOT NULL")
        op.create_index(f"ix_subscriptions_{name}", "subscriptions", [name], postgresql_where=where)
    op.execute(
        "UPDATE subscriptions s SET consent_id = (SELECT max(c.id) FROM consents c JOIN payments p ON "
        "p.id = c.payment_id WHERE p.user_id = s.user_id AND p.status = 'succeeded' "
        "AND c.withdrawn_at IS NULL) WHERE s.auto_renew"
    )
    # The scheduler works out what comes next for each of them.
    op.execute(
        "UPDATE subscriptions SET look_at = current_period_start WHERE status IN ('active', 'past_due')"
    )


def downgrade() -> None:
    """Take it back."""
    _words("cases", "kind", _CASES.split())
    for name in ("look_at", "charge_look_at"):
        op.drop_index(f"ix_subscriptions_{name}", "subscriptions")
    for name in ("consent_id", "charge_due_at", "charge_look_at", "look_at", "held_since", "grace_until"):
        op.drop_column("subscriptions", name)
    op.drop_index("ix_refunds_next_check_at", "refunds")
    for name in ("called_at", "next_check_at", "checks"):
        op.drop_column("refunds", name)
    op.drop_column("purchased_plans", "revoked_because")
    for name in ("attempt", "open", "paid"):
        op.drop_index(f"uq_payments_renewal_{name}", "payments")
    _one_open_order("= 'purchase'")
    for name in ("credit_not_negative", "credit_of_a_payment", "renewal_is_frozen"):
        op.drop_constraint(op.f(f"ck_payments_{name}"), "payments")
    _words("payments", "purpose", "purchase renewal live_check".split())
    _check("payments", "plan_when_bought", "purpose = 'live_check' OR plan_id IS NOT NULL")
    for name in (
        "subscription_id",
        "period_start",
        "attempt",
        "payment_method_id",
        "consent_id",
        "credit",
        "replaces_payment_id",
    ):
        op.drop_column("payments", name)
    for name in ("preferred_at", "stopped_at", "stop_code"):
        op.drop_column("payment_methods", name)
    for name in ("plan_id", "plan_code", "plan_title", "email_quota", "withdrawn_because"):
        op.drop_column("consents", name)
    op.drop_table("usage_records")
    op.drop_table("api_keys")


def _words(table: str, column: str, words: list[str]) -> None:
    """Let *column* hold these words and no others."""
    listed = ", ".join(f"'{word}'" for word in words)
    _check(table, column, f"{column} IN ({listed})")


def _check(table: str, name: str, condition: str) -> None:
    """Put a constraint in the place of the one of that name, if there is one."""
    full = op.f(f"ck_{table}_{name}")
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {full}")
    op.create_check_constraint(full, table, condition)


def _one_open_order(purposes: str) -> None:
    op.drop_index("uq_payments_open_order", "payments")
    where = sa.text(_OPEN_ORDER.format(purposes))
    op.create_index(
        "uq_payments_open_order", "payments", ["user_id", "plan_id"], unique=True, postgresql_where=where
    )
