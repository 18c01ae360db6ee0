"""When a customer closed the account.

Revises: 0021
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply it."""
    op.add_column("users", sa.Column("closed_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    """Take it back: such accounts stay closed, and nobody knows any more who closed them."""
    op.drop_column("users", "closed_at")
