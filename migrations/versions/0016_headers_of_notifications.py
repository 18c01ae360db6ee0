"""Headers of notifications, kept beside their bodies.

Revises: 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply it."""
    empty = sa.text("'{}'::jsonb")
    op.add_column(
        "webhook_events", sa.Column("headers", postgresql.JSONB(), nullable=False, server_default=empty)
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_column("webhook_events", "headers")
