"""A customer's methods are found by an index, those that were unlinked too.

Revises: 0005
"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply it."""
    op.create_index("ix_payment_methods_user_id", "payment_methods", ["user_id"])


def downgrade() -> None:
    """Take it back."""
    op.drop_index("ix_payment_methods_user_id", "payment_methods")
