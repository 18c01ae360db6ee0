"""The terms of a change: how many e-mails were used when it was ordered; a credit may be nothing.

Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_CREDIT = "ck_payments_credit_of_a_payment"
_USED = "ck_payments_replaced_emails_used_not_negative"


def upgrade() -> None:
    """Apply it."""
    op.add_column(
        "payments", sa.Column("replaced_emails_used", sa.Integer(), server_default="0", nullable=False)
    )
    op.alter_column("payments", "replaced_emails_used", server_default=None)
    op.create_check_constraint(op.f(_USED), "payments", "replaced_emails_used >= 0")
    op.drop_constraint(op.f(_CREDIT), "payments")
    op.create_check_constraint(
        op.f(_CREDIT),
        "payments",
        "(purpose = 'change') = (replaces_payment_id IS NOT NULL)"
        " AND (credit = 0 OR replaces_payment_id IS NOT NULL)",
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_constraint(op.f(_CREDIT), "payments")
    op.create_check_constraint(op.f(_CREDIT), "payments", "(credit = 0) = (replaces_payment_id IS NULL)")
    op.drop_constraint(op.f(_USED), "payments")
    op.drop_column("payments", "replaced_emails_used")
