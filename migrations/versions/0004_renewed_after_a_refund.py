"""A period whose renewal was refunded in full may be renewed once more.

Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_PAID = "purpose = 'renewal' AND status = 'succeeded'"


def upgrade() -> None:
    """Apply it."""
    _make(f"{_PAID} AND refunded_amount < amount")


def downgrade() -> None:
    """Take it back; fails where two payments of one period stand, of which one was refunded."""
    _make(_PAID)


def _make(condition: str) -> None:
    op.drop_index("uq_payments_renewal_paid", "payments")
    op.create_index(
        "uq_payments_renewal_paid",
        "payments",
        ["subscription_id", "period_start"],
        unique=True,
        postgresql_where=sa.text(condition),
    )
