"""Who was asked by letter to save a card at the other gateway.

Revises: 0017
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply it."""
    op.create_table(
        "card_requests",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("gateway", sa.String(20), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("form_key", sa.String(36), nullable=False),
        sa.CheckConstraint("gateway IN ('cloudpayments', 'yookassa')", name=op.f("ck_card_requests_gateway")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_card_requests")),
        sa.UniqueConstraint("user_id", "gateway", name="uq_card_requests_user_id_gateway"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_card_requests_user_id_users"), ondelete="CASCADE"
        ),
    )


def downgrade() -> None:
    """Take it back: everybody may be asked anew."""
    op.drop_table("card_requests")
