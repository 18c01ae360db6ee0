"""Chargebacks booked as money that left, and the decision that it is with the shop after all.

Revises: 0013
"""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_SOURCES = "customer operator gateway"
_CHOICES = "give_back accept declare_failed try_again by_hand stop release end_plan close itself"


def upgrade() -> None:
    """Apply it."""
    _words("refunds", "source", f"{_SOURCES} bank")
    _words("cases", "resolution", f"{_CHOICES} won")


def downgrade() -> None:
    """Take it back: what banks took counts as refunds made in a gateway's cabinet."""
    op.execute("UPDATE cases SET resolution = 'close' WHERE resolution = 'won'")
    op.execute("UPDATE refunds SET source = 'gateway' WHERE source = 'bank'")
    _words("cases", "resolution", _CHOICES)
    _words("refunds", "source", _SOURCES)


def _words(table: str, column: str, words: str) -> None:
    """Let this column hold these words and no others."""
    listed = ", ".join(f"'{word}'" for word in words.split())
    name = op.f(f"ck_{table}_{column}")
    op.drop_constraint(name, table, type_="check")
    op.create_check_constraint(name, table, f"{column} IN ({listed})")
