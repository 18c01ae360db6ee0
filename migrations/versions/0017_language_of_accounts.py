"""The language in which an account is written to.

Revises: 0016
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply it."""
    op.add_column("users", sa.Column("language", sa.String(2), nullable=False, server_default="ru"))
    op.create_check_constraint(op.f("ck_users_language_known"), "users", "language IN ('ru', 'en')")


def downgrade() -> None:
    """Take it back."""
    op.drop_constraint(op.f("ck_users_language_known"), "users", type_="check")
    op.drop_column("users", "language")
