"""Money at the operator's desk: the story of a payment, refunds ordered there, days given, cases decided.

Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_STATES = "('pending', 'authorized', 'succeeded', 'failed', 'unknown')"
_KINDS = (
    "unknown_payment amount_mismatch currency_mismatch account_mismatch shop_mismatch test_mode_mismatch "
    "gateway_mismatch second_capture unknown_refund refund_above_capture unknown_too_old unreadable "
    "refund_failed renewal_refused notice_unsent"
)
_CHOICES = "give_back accept declare_failed try_again by_hand stop release end_plan close itself"


def upgrade() -> None:
    """Apply it."""
    _stories()
    _extensions()
    _refunds()
    _cases()
    op.add_column("subscriptions", sa.Column("waived_for", _MOMENT))
    op.drop_index("ix_notifications_shown", "notifications")
    op.create_index("ix_notifications_of_user", "notifications", ["user_id", sa.text("id DESC")])
    op.add_column("notifications", sa.Column("copy_of_id", sa.BigInteger()))
    _points("notifications", "copy_of_id", "notifications", ondelete="CASCADE")


def _stories() -> None:
    op.create_table(
        "payment_moves",
        _id(),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("before", sa.String(20), nullable=False),
        sa.Column("after", sa.String(20), nullable=False),
        sa.Column("code", sa.String(64)),
        sa.CheckConstraint(f"before IN {_STATES}", name=op.f("ck_payment_moves_before")),
        sa.CheckConstraint(f"after IN {_STATES}", name=op.f("ck_payment_moves_after")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_moves")),
    )
    _points("payment_moves", "payment_id", "payments")
    op.create_index("ix_payment_moves_payment_id", "payment_moves", ["payment_id"])
    op.create_table(
        "gateway_calls",
        _id(),
        sa.Column("payment_id", sa.BigInteger()),
        sa.Column("refund_id", sa.BigInteger()),
        sa.Column("operation", sa.String(20), nullable=False),
        sa.Column("said", sa.String(64), nullable=False),
        sa.Column("detail", sa.String(250), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("last_at", _MOMENT, nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "operation IN ('start', 'charge', 'ask', 'refund')", name=op.f("ck_gateway_calls_operation")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateway_calls")),
    )
    _points("gateway_calls", "payment_id", "payments")
    _points("gateway_calls", "refund_id", "refunds")
    op.create_index("ix_gateway_calls_payment_id", "gateway_calls", ["payment_id"])
    op.create_index("ix_gateway_calls_refund_id", "gateway_calls", ["refund_id"])


def _extensions() -> None:
    op.create_table(
        "period_extensions",
        _id(),
        sa.Column("purchased_plan_id", sa.BigInteger(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(250), nullable=False),
        sa.Column("user_id", sa.BigInteger()),
        sa.Column("form_key", sa.String(36), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.CheckConstraint("days > 0", name=op.f("ck_period_extensions_days_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_period_extensions")),
        sa.UniqueConstraint("form_key", name=op.f("uq_period_extensions_form_key")),
    )
    _points("period_extensions", "purchased_plan_id", "purchased_plans")
    _points("period_extensions", "user_id", "users")
    op.create_index("ix_period_extensions_purchased_plan_id", "period_extensions", ["purchased_plan_id"])


def _refunds() -> None:
    op.alter_column("refunds", "payment_id", nullable=True)
    for name, kind in (
        ("case_id", sa.BigInteger()),
        ("ordered_by", sa.BigInteger()),
        ("form_key", sa.String(36)),
    ):
        op.add_column("refunds", sa.Column(name, kind))
    _points("refunds", "case_id", "cases")
    _points("refunds", "ordered_by", "users")
    op.create_index("ix_refunds_case_id", "refunds", ["case_id"])
    op.create_index(
        "ix_refunds_ordered_by",
        "refunds",
        ["ordered_by", "created_at"],
        postgresql_where=sa.text("ordered_by IS NOT NULL"),
    )
    op.create_unique_constraint(op.f("uq_refunds_form_key"), "refunds", ["form_key"])
    op.create_check_constraint(
        op.f("ck_refunds_of_payment_or_case"), "refunds", "(payment_id IS NULL) = (case_id IS NOT NULL)"
    )


def _cases() -> None:
    _words("kind", f"{_KINDS} chargeback drift")
    op.add_column("cases", sa.Column("resolution", sa.String(20)))
    op.add_column("cases", sa.Column("resolved_by", sa.BigInteger()))
    op.add_column("cases", sa.Column("resolution_note", sa.Text(), nullable=False, server_default=""))
    _words("resolution", _CHOICES)
    _points("cases", "resolved_by", "users")
    op.execute("UPDATE cases SET resolution = 'itself' WHERE resolved_at IS NOT NULL")


def downgrade() -> None:
    """Take it back: stories, days given and decisions are forgotten; so is what was given back of strange
    money, and cases of the new kinds.
    """
    op.drop_column("notifications", "copy_of_id")
    op.drop_index("ix_notifications_of_user", "notifications")
    op.create_index(
        "ix_notifications_shown",
        "notifications",
        ["user_id", sa.text("id DESC")],
        postgresql_where=sa.text("channel = 'portal'"),
    )
    op.drop_column("subscriptions", "waived_for")
    for table in ("gateway_calls", "payment_moves", "period_extensions"):
        op.drop_table(table)
    op.drop_constraint(op.f("ck_refunds_of_payment_or_case"), "refunds", type_="check")
    op.execute("DELETE FROM refunds WHERE payment_id IS NULL")
    for name in ("form_key", "ordered_by", "case_id"):
        op.drop_column("refunds", name)
    op.alter_column("refunds", "payment_id", nullable=False)
    for name in ("resolution_note", "resolved_by", "resolution"):
        op.drop_column("cases", name)
    op.execute("DELETE FROM cases WHERE kind IN ('chargeback', 'drift')")
    _words("kind", _KINDS)


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False)


def _points(table: str, column: str, to: str, **more: str) -> None:
    name = op.f(f"fk_{table}_{column}_{to}")
    op.create_foreign_key(name, table, to, [column], ["id"], **more)


def _words(column: str, words: str) -> None:
    """Let this column of the cases hold these words and no others."""
    listed = ", ".join(f"'{word}'" for word in words.split())
    name = op.f(f"ck_cases_{column}")
    op.execute(f"ALTER TABLE cases DROP CONSTRAINT IF EXISTS {name}")
    op.create_check_constraint(name, "cases", f"{column} IN ({listed})")
