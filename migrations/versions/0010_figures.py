"""The shop's statistics: figures of closed days, and triggers that say which of them a change concerns.

Revises: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_FAMILIES = "family IN ('payments', 'periods', 'renewals')"

# Every zone's offset is a multiple of 15 minutes, so a quarter of an hour lies in one day of any zone.
_NOTE = """
    CREATE FUNCTION note_touched(given timestamptz[]) RETURNS void LANGUAGE sql AS $$
        INSERT INTO figure_touches (moments)
        SELECT array_agg(DISTINCT date_bin('15 minutes', one, 'epoch')) FROM unnest(given) one
        WHERE one IS NOT NULL HAVING count(*) > 0
    $$"""
# A renewal's attempts count on the day of the first one.
_OF_PAYMENT = """
    CREATE FUNCTION moments_of_payment(created timestamptz, paid timestamptz, starts timestamptz,
        subscription bigint, attempt integer) RETURNS timestamptz[] LANGUAGE sql STABLE AS $$
        SELECT ARRAY[created, paid, starts, (
            SELECT f.created_at FROM payments f WHERE moments_of_payment.attempt > 1
            AND f.subscription_id = subscription AND f.period_start = starts AND f.purpose = 'renewal'
            AND f.attempt = 1)]
    $$"""
# What a paid period is to its customer's others: whatever of them begins or ends within it.
_OF_PERIOD = """
    CREATE FUNCTION moments_of_period(owner bigint, starts timestamptz, ends timestamptz,
        revoked timestamptz) RETURNS timestamptz[] LANGUAGE sql STABLE AS $$
        SELECT ARRAY[starts, ends, revoked] || array_agg(edge) FROM (
            SELECT unnest(ARRAY[q.starts_at, q.ends_at, q.revoked_at]) AS edge
            FROM purchased_plans q WHERE q.user_id = owner) edges
        WHERE edge BETWEEN least(starts, revoked) AND ends
    $$"""
_PAYMENT = (
    "moments_of_payment({0}.created_at, {0}.paid_at, {0}.period_start, {0}.subscription_id, {0}.attempt)"
)
_PERIOD = "moments_of_period({0}.user_id, {0}.starts_at, {0}.ends_at, {0}.revoked_at)"
_REFUND = "ARRAY[{0}.finished_at]"

#: Table, the moments that one of its rows counts at, and the columns that a figure depends on.
_WATCHED = (
    (
        "payments",
        _PAYMENT,
        ("status", "amount", "failure_code", "created_at", "paid_at", "refused_at", "superseded_at"),
    ),
    ("refunds", _REFUND, ("status", "amount", "finished_at")),
    ("purchased_plans", _PERIOD, ("starts_at", "ends_at", "revoked_at")),
)


def upgrade() -> None:
    """Apply it."""
    op.add_column("payments", sa.Column("refused_at", sa.DateTime(timezone=True)))
    op.execute(
        "UPDATE payments SET refused_at = failed_at WHERE status = 'failed' AND coalesce(failure_code, '')"
        " NOT IN ('expired', 'not_created', 'superseded', 'second_capture')"
    )
    _indexes()
    _tables()
    for function in (_NOTE, _OF_PAYMENT, _OF_PERIOD):
        op.execute(function)
    for table, moments, columns in _WATCHED:
        _watch(table, moments, columns)


def _indexes() -> None:
    op.create_index("ix_payments_created_at", "payments", ["created_at"])
    op.create_index(
        "ix_payments_paid_at", "payments", ["paid_at"], postgresql_where=sa.text("paid_at IS NOT NULL")
    )
    op.create_index(
        "ix_refunds_finished_at",
        "refunds",
        ["finished_at"],
        postgresql_where=sa.text("finished_at IS NOT NULL"),
    )
    op.create_index("ix_purchased_plans_starts_at", "purchased_plans", ["starts_at"])
    op.create_index("ix_purchased_plans_over_at", "purchased_plans", [sa.text("LEAST(ends_at, revoked_at)")])


def _tables() -> None:
    op.create_table(
        "figure_days",
        sa.Column("zone", sa.String(64), nullable=False),
        sa.Column("family", sa.String(20), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.CheckConstraint(_FAMILIES, name="family"),
        sa.PrimaryKeyConstraint("zone", "family", "day", name=op.f("pk_figure_days")),
    )
    op.create_table(
        "daily_figures",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("zone", sa.String(64), nullable=False),
        sa.Column("family", sa.String(20), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("gateway", sa.String(20), nullable=False),
        sa.Column("billing_mode", sa.String(20), nullable=False),
        sa.Column("test_mode", sa.Boolean(), nullable=False),
        sa.Column("purpose", sa.String(20), nullable=False),
        sa.Column("plan_code", sa.String(64), nullable=False),
        sa.Column("name", sa.String(20), nullable=False),
        sa.Column("detail", sa.String(64), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("amount", sa.Numeric(18, 2), nullable=False),
        sa.CheckConstraint(_FAMILIES, name="family"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_daily_figures")),
    )
    op.create_index("ix_daily_figures_day", "daily_figures", ["zone", "family", "day"])
    op.create_table(
        "figure_touches",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("moments", postgresql.ARRAY(sa.DateTime(timezone=True)), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_figure_touches")),
    )


def _watch(table: str, moments: str, columns: tuple[str, ...]) -> None:
    """Many new rows are looked at together; of a changed one only what a figure depends on."""
    op.execute(f"""
        CREATE FUNCTION {table}_touch_figures() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_LEVEL = 'ROW' THEN
                PERFORM note_touched({moments.format("OLD")} || {moments.format("NEW")});
            ELSE
                PERFORM note_touched(ARRAY(
                    SELECT DISTINCT date_bin('15 minutes', one, 'epoch')
                    FROM touched t, unnest({moments.format("t")}) one));
            END IF;
            RETURN NULL;
        END $$""")
    before, after = (", ".join(f"{row}.{name}" for name in columns) for row in ("OLD", "NEW"))
    op.execute(
        f"CREATE TRIGGER figures_of_changed AFTER UPDATE ON {table} FOR EACH ROW"
        f" WHEN (({before}) IS DISTINCT FROM ({after})) EXECUTE FUNCTION {table}_touch_figures()"
    )
    for act, rows in (("INSERT", "NEW"), ("DELETE", "OLD")):
        op.execute(
            f"CREATE TRIGGER figures_of_{act.lower()} AFTER {act} ON {table}"
            f" REFERENCING {rows} TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION {table}_touch_figures()"
        )


def downgrade() -> None:
    """Take it back; the figures can be counted again at any time."""
    for table, _, _ in _WATCHED:
        for trigger in ("figures_of_changed", "figures_of_insert", "figures_of_delete"):
            op.execute(f"DROP TRIGGER {trigger} ON {table}")
        op.execute(f"DROP FUNCTION {table}_touch_figures()")
    for function in ("moments_of_period", "moments_of_payment", "note_touched"):
        op.execute(f"DROP FUNCTION {function}")
    for table in ("figure_touches", "daily_figures", "figure_days"):
        op.drop_table(table)
    for index in ("ix_purchased_plans_over_at", "ix_purchased_plans_starts_at"):
        op.drop_index(index, "purchased_plans")
    op.drop_index("ix_refunds_finished_at", "refunds")
    for index in ("ix_payments_paid_at", "ix_payments_created_at"):
        op.drop_index(index, "payments")
    op.drop_column("payments", "refused_at")
