"""The operator's desk: roles, the second factor, and the record of what operators did.

Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_APPEND_ONLY = """
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% only grows: % is refused', TG_TABLE_NAME, TG_OP;
    END $$"""


def upgrade() -> None:
    """Apply it."""
    _operators()
    _sessions()
    _audit()


def _operators() -> None:
    op.add_column("users", sa.Column("role", sa.String(20)))
    op.create_check_constraint("role", "users", "role IN ('viewer', 'support', 'owner')")
    op.execute("UPDATE users SET role = 'owner' WHERE is_admin")
    op.drop_column("users", "is_admin")
    op.add_column("users", sa.Column("totp_secret", sa.LargeBinary()))
    op.add_column("users", sa.Column("totp_since", _MOMENT))
    op.add_column("users", sa.Column("totp_last_step", sa.Integer()))
    op.create_table(
        "recovery_codes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("used_at", _MOMENT),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_recovery_codes_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_codes")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_recovery_codes_code_hash")),
    )
    op.create_index("ix_recovery_codes_user_id", "recovery_codes", ["user_id"])


def _sessions() -> None:
    for name in ("password_at", "code_at", "desk_seen_at"):
        op.add_column("user_sessions", sa.Column(name, _MOMENT))


def _audit() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("user_id", sa.BigInteger()),
        sa.Column("actor", sa.String(254), nullable=False),
        sa.Column("address", sa.String(45), nullable=False),
        sa.Column("act", sa.String(64), nullable=False),
        sa.Column("subject_type", sa.String(32), nullable=False),
        sa.Column("subject_id", sa.String(64), nullable=False),
        sa.Column("before", postgresql.JSONB(), nullable=False),
        sa.Column("after", postgresql.JSONB(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_audit_entries_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
        sa.UniqueConstraint("hash", name=op.f("uq_audit_entries_hash")),
    )
    op.create_index("ix_audit_entries_act", "audit_entries", ["act"])
    op.create_index("ix_audit_entries_user_id", "audit_entries", ["user_id"])
    op.create_index("ix_audit_entries_subject", "audit_entries", ["subject_type", "subject_id", "id"])
    op.execute(_APPEND_ONLY)
    op.execute(
        "CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON audit_entries"
        " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER never_emptied BEFORE TRUNCATE ON audit_entries"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    """Take it back; what operators did is forgotten, and every operator becomes one without limits."""
    op.drop_table("audit_entries")
    op.execute("DROP FUNCTION refuse_change()")
    for name in ("desk_seen_at", "code_at", "password_at"):
        op.drop_column("user_sessions", name)
    op.drop_table("recovery_codes")
    for name in ("totp_last_step", "totp_since", "totp_secret"):
        op.drop_column("users", name)
    op.add_column("users", sa.Column("is_admin", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute("UPDATE users SET is_admin = role IS NOT NULL")
    op.alter_column("users", "is_admin", server_default=None)
    op.drop_constraint("role", "users", type_="check")
    op.drop_column("users", "role")
