"""The index of a customer's periods tells all that the figures ask of the others.

Revises: 0018
"""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply it."""
    op.drop_index("ix_purchased_plans_user_id_ends_at", "purchased_plans")
    op.create_index(
        "ix_purchased_plans_user_id_ends_at",
        "purchased_plans",
        ["user_id", "ends_at"],
        postgresql_include=["starts_at", "revoked_at", "id"],
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_index("ix_purchased_plans_user_id_ends_at", "purchased_plans")
    op.create_index("ix_purchased_plans_user_id_ends_at", "purchased_plans", ["user_id", "ends_at"])
