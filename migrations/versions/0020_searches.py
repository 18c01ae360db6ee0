"""Indexes for what the desk searches payments, periods and saved methods by.

Revises: 0019
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_LATEST = sa.text("id DESC")


def upgrade() -> None:
    """Apply it."""
    for column in ("status", "purpose", "plan_code"):
        op.create_index(f"ix_payments_{column}", "payments", [column, _LATEST])
    for table, column in (("payments", "failure_code"), ("purchased_plans", "revoked_because")):
        where = sa.text(f"{column} IS NOT NULL")
        op.create_index(f"ix_{table}_{column}", table, [column, _LATEST], postgresql_where=where)
    op.create_index("ix_payments_last_four", "payments", [sa.text('"right"(method_title, 5)')])
    for table, column in (("payments", "payment_method_id"), ("payment_methods", "last4")):
        where = sa.text(f"{column} IS NOT NULL")
        op.create_index(f"ix_{table}_{column}", table, [column], postgresql_where=where)
    op.create_index("ix_purchased_plans_ends_at", "purchased_plans", ["ends_at"])


def downgrade() -> None:
    """Take it back."""
    for table, names in (
        ("payments", ("status", "purpose", "plan_code", "failure_code", "last_four", "payment_method_id")),
        ("purchased_plans", ("revoked_because", "ends_at")),
        ("payment_methods", ("last4",)),
    ):
        for name in names:
            op.drop_index(f"ix_{table}_{name}", table)
