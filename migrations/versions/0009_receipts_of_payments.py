"""What a payment's receipt will say, frozen with its other terms.

Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply it."""
    op.add_column("payments", sa.Column("receipt", postgresql.JSONB()))


def downgrade() -> None:
    """Take it back."""
    op.drop_column("payments", "receipt")
