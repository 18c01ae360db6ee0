"""Reconciliations with their days and lines; fees; what was seen in a gateway's list.

Revises: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_GATEWAY = "gateway IN ('cloudpayments', 'yookassa')"
_ORIGIN = "origin IN ('schedule', 'operator', 'command')"
_WHAT = "what IN ('paid_there', 'paid_here', 'refunded_there', 'refunded_here', 'amount', 'status', 'fee')"
_SUMS = ("there", "here", "refunds_there", "refunds_here")


def upgrade() -> None:
    """Apply it."""
    op.add_column("payments", sa.Column("fee", sa.Numeric(12, 2)))
    for table, moment in (("payments", "paid_at"), ("refunds", "finished_at")):
        op.add_column(table, sa.Column("listed_at", _MOMENT))
        op.create_index(
            f"ix_{table}_unlisted",
            table,
            ["gateway", moment],
            postgresql_where=sa.text("status = 'succeeded' AND listed_at IS NULL"),
        )
    _runs()
    _days()
    _lines()


def _runs() -> None:
    op.create_table(
        "reconciliation_runs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("origin", sa.String(20), nullable=False),
        sa.Column("actor", sa.String(254), nullable=False),
        *(sa.Column(name, _MOMENT) for name in ("next_attempt_at", "claimed_until", "finished_at")),
        sa.CheckConstraint(_ORIGIN, name=op.f("ck_reconciliation_runs_origin")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_runs")),
    )
    op.create_index(
        "ix_reconciliation_runs_next_attempt_at",
        "reconciliation_runs",
        ["next_attempt_at"],
        postgresql_where=sa.text("next_attempt_at IS NOT NULL"),
    )


def _days() -> None:
    total = sa.Numeric(16, 2)
    op.create_table(
        "reconciliation_days",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("gateway", sa.String(20), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("starts_at", _MOMENT, nullable=False),
        sa.Column("ends_at", _MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(250)),
        sa.Column("compared_at", _MOMENT),
        *(sa.Column(f"{name}_count", sa.Integer(), nullable=False) for name in _SUMS),
        *(sa.Column(f"{name}_sum", total, nullable=False) for name in (*_SUMS, "case", "fee")),
        sa.CheckConstraint(_GATEWAY, name=op.f("ck_reconciliation_days_gateway")),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["reconciliation_runs.id"],
            name=op.f("fk_reconciliation_days_run_id_reconciliation_runs"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_days")),
        sa.UniqueConstraint(
            "run_id", "gateway", "day", name=op.f("uq_reconciliation_days_run_id_gateway_day")
        ),
    )


def _lines() -> None:
    op.create_table(
        "reconciliation_lines",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("day_id", sa.BigInteger(), nullable=False),
        sa.Column("gateway", sa.String(20), nullable=False),
        sa.Column("what", sa.String(20), nullable=False),
        sa.Column("remedy", sa.String(20), nullable=False),
        sa.Column("gateway_object_id", sa.String(64), nullable=False),
        sa.Column("payment_id", sa.BigInteger()),
        sa.Column("there_amount", sa.Numeric(12, 2)),
        sa.Column("here_amount", sa.Numeric(12, 2)),
        sa.Column("note", sa.String(200), nullable=False),
        sa.Column("found_at", _MOMENT, nullable=False),
        sa.CheckConstraint(_GATEWAY, name=op.f("ck_reconciliation_lines_gateway")),
        sa.CheckConstraint(_WHAT, name=op.f("ck_reconciliation_lines_what")),
        sa.CheckConstraint("remedy IN ('healed', 'case')", name=op.f("ck_reconciliation_lines_remedy")),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["reconciliation_runs.id"],
            name=op.f("fk_reconciliation_lines_run_id_reconciliation_runs"),
        ),
        sa.ForeignKeyConstraint(
            ["day_id"],
            ["reconciliation_days.id"],
            name=op.f("fk_reconciliation_lines_day_id_reconciliation_days"),
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_reconciliation_lines_payment_id_payments")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_lines")),
        sa.UniqueConstraint(
            "day_id",
            "what",
            "gateway_object_id",
            name=op.f("uq_reconciliation_lines_day_id_what_gateway_object_id"),
        ),
    )
    op.create_index("ix_reconciliation_lines_run_id", "reconciliation_lines", ["run_id"])


def downgrade() -> None:
    """Take it back."""
    for table in ("reconciliation_lines", "reconciliation_days", "reconciliation_runs"):
        op.drop_table(table)
    for table in ("refunds", "payments"):
        op.drop_index(f"ix_{table}_unlisted", table)
        op.drop_column(table, "listed_at")
    op.drop_column("payments", "fee")
