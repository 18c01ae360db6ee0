"""Ranges of notifications that are replayed.

Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Apply it."""
    op.create_table(
        "replays",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("user_id", sa.BigInteger()),
        sa.Column("actor", sa.String(254), nullable=False),
        sa.Column("address", sa.String(45), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("gateway", sa.String(20)),
        sa.Column("event_status", sa.String(20)),
        sa.Column("since", _MOMENT),
        sa.Column("until", _MOMENT),
        sa.Column("last_event_id", sa.BigInteger(), nullable=False),
        sa.Column("done_event_id", sa.BigInteger(), nullable=False),
        *(
            sa.Column(name, sa.Integer(), nullable=False)
            for name in ("total", "done", "moved", "cases", "failed")
        ),
        sa.Column("next_attempt_at", _MOMENT),
        sa.Column("finished_at", _MOMENT),
        sa.CheckConstraint("gateway IN ('cloudpayments', 'yookassa')", name=op.f("ck_replays_gateway")),
        sa.CheckConstraint(
            "event_status IN ('received', 'handled', 'ignored', 'case')",
            name=op.f("ck_replays_event_status"),
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_replays_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replays")),
    )
    op.create_index(
        "ix_replays_next_attempt_at",
        "replays",
        ["next_attempt_at"],
        postgresql_where=sa.text("next_attempt_at IS NOT NULL"),
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_table("replays")
