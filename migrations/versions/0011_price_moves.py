"""Existing subscribers moved to another price.

Revises: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_OUTCOMES = "outcome IN ('moved', 'stopped', 'left', 'called_off')"


def upgrade() -> None:
    """Apply it."""
    _moves()
    _notices()


def _moves() -> None:
    op.create_table(
        "price_moves",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.Numeric(12, 2), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("moves_at", _MOMENT, nullable=False),
        sa.Column("reason", sa.String(1000), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("called_off_at", _MOMENT),
        sa.Column("ended_at", _MOMENT),
        sa.CheckConstraint("amount > 0", name=op.f("ck_price_moves_amount_positive")),
        sa.CheckConstraint("moves_at > created_at", name=op.f("ck_price_moves_announced_before")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_price_moves_plan_id_plans")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_moves")),
    )
    op.create_index(
        "uq_price_moves_open",
        "price_moves",
        ["plan_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def _notices() -> None:
    op.create_table(
        "price_notices",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("price_move_id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("old_amount", sa.Numeric(12, 2), nullable=False),
        sa.Column("told_at", _MOMENT),
        sa.Column("consent_id", sa.BigInteger()),
        sa.Column("look_at", _MOMENT),
        sa.Column("outcome", sa.String(20)),
        sa.CheckConstraint(_OUTCOMES, name=op.f("ck_price_notices_outcome")),
        *(
            sa.ForeignKeyConstraint(
                [column], [f"{table}.id"], name=op.f(f"fk_price_notices_{column}_{table}")
            )
            for column, table in (
                ("price_move_id", "price_moves"),
                ("subscription_id", "subscriptions"),
                ("user_id", "users"),
                ("consent_id", "consents"),
            )
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_notices")),
        sa.UniqueConstraint(
            "price_move_id", "subscription_id", name=op.f("uq_price_notices_price_move_id_subscription_id")
        ),
    )
    op.create_index(
        "ix_price_notices_look_at",
        "price_notices",
        ["look_at"],
        postgresql_where=sa.text("look_at IS NOT NULL"),
    )
    for column in ("subscription_id", "user_id"):
        op.create_index(f"ix_price_notices_{column}", "price_notices", [column])


def downgrade() -> None:
    """Take it back."""
    op.drop_table("price_notices")
    op.drop_table("price_moves")
