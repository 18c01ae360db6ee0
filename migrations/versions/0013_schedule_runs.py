"""When what runs by itself last ran.

Revises: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply it."""
    op.create_table(
        "schedule_runs",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("ran_at", sa.DateTime(timezone=True)),
        sa.Column("result", sa.String(200), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True)),
        sa.Column("error", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_schedule_runs")),
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_table("schedule_runs")
