"""Customers are found by any part of their address without reading all of them.

Revises: 0022
"""

from __future__ import annotations

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply it. The extension is of those that whoever owns the database may create (PostgreSQL 13)."""
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    op.create_index(
        "ix_users_email_parts",
        "users",
        ["email"],
        postgresql_using="gin",
        postgresql_ops={"email": "gin_trgm_ops"},
    )


def downgrade() -> None:
    """Take it back. The extension stays: somebody else may use it by now, and it does nothing by itself."""
    op.drop_index("ix_users_email_parts", "users")
