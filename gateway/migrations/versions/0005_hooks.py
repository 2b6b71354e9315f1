"""Webhooks, and the calls that were taken."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_ID = sa.String(100).with_variant(sa.String(100, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "hooks",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("key_digest", sa.String(64), nullable=False),
        sa.Column("key_sealed", sa.Text, nullable=False),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("secrets", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
        sa.UniqueConstraint("key_digest", name="uq_hooks_key_digest"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "hook_marks",
        sa.Column("hook", sa.String(100), primary_key=True),
        sa.Column("mark", sa.String(66), primary_key=True),
        sa.Column("body", sa.String(64), nullable=False),
        sa.Column("execution_id", sa.String(100), nullable=False),
        sa.Column("workflow_id", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_hook_marks_expires_at", "hook_marks", ["expires_at"])


def downgrade() -> None:
    op.drop_table("hook_marks")
    op.drop_table("hooks")
