"""Links to another address, and letters that go elsewhere than to the account's own.

Revises: 0020
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_PURPOSE = "ck_account_links_purpose"


def upgrade() -> None:
    """Apply it."""
    op.drop_constraint(op.f(_PURPOSE), "account_links")
    op.create_check_constraint(
        op.f(_PURPOSE), "account_links", "purpose IN ('confirm_email', 'reset_password', 'change_email')"
    )
    op.add_column("notifications", sa.Column("address", sa.String(254)))


def downgrade() -> None:
    """Take it back: links to another address end, and letters to one are not sent any more."""
    op.execute("DELETE FROM account_links WHERE purpose = 'change_email'")
    op.execute("DELETE FROM notifications WHERE address IS NOT NULL")
    op.drop_column("notifications", "address")
    op.drop_constraint(op.f(_PURPOSE), "account_links")
    op.create_check_constraint(
        op.f(_PURPOSE), "account_links", "purpose IN ('confirm_email', 'reset_password')"
    )
