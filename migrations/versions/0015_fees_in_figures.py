"""A fee that is learned later opens its day again; days are added up anew, with their fees.

Revises: 0014
"""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_WATCHED = ("status", "amount", "failure_code", "created_at", "paid_at", "refused_at", "superseded_at")


def upgrade() -> None:
    """Apply it."""
    _watch((*_WATCHED, "fee"))


def downgrade() -> None:
    """Take it back."""
    _watch(_WATCHED)


def _watch(columns: tuple[str, ...]) -> None:
    """Which columns of a payment its figures depend on; what was added up without them is thrown away."""
    before, after = (", ".join(f"{row}.{name}" for name in columns) for row in ("OLD", "NEW"))
    op.execute("DROP TRIGGER figures_of_changed ON payments")
    op.execute(
        "CREATE TRIGGER figures_of_changed AFTER UPDATE ON payments FOR EACH ROW"
        f" WHEN (({before}) IS DISTINCT FROM ({after})) EXECUTE FUNCTION payments_touch_figures()"
    )
    for table in ("figure_days", "daily_figures"):
        op.execute(f"DELETE FROM {table} WHERE family = 'payments'")
