"""Executions, streams and lines."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "executions",
        sa.Column("id", _KEY, primary_key=True, autoincrement=True),
        sa.Column("execution_id", sa.String(100), nullable=False),
        sa.Column("event_id", sa.String(200), nullable=False),
        sa.Column("event_name", sa.Text, nullable=False),
        sa.Column("event_type", sa.String(100), nullable=False),
        sa.Column("user", sa.String(200), nullable=False),
        sa.Column("trigger", sa.String(100), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("status_at", sa.Double, nullable=False),
        sa.Column("workflow_id", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("result", sa.Text),
        sa.Column("expected_lines", sa.BigInteger, nullable=False),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
        sa.Column("final_at", sa.Double),
        sa.Column("started_at", sa.Double),
        sa.Column("finished_at", sa.Double),
        sa.UniqueConstraint("execution_id", name="uq_executions_execution_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_executions_user_id", "executions", ["user", "id"])
    op.create_index("ix_executions_status_id", "executions", ["status", "id"])
    op.create_index("ix_executions_updated_at", "executions", ["updated_at"])
    op.create_table(
        "streams",
        sa.Column("id", _KEY, primary_key=True, autoincrement=True),
        sa.Column(
            "execution",
            _KEY,
            sa.ForeignKey("executions.id", name="fk_streams_execution"),
            nullable=False,
        ),
        sa.Column("target", sa.String(200), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("stream", sa.String(20), nullable=False),
        sa.Column("highest", sa.BigInteger, nullable=False),
        sa.UniqueConstraint(
            "execution",
            "target",
            "attempt",
            "stream",
            name="uq_streams_execution_target_attempt_stream",
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "lines",
        sa.Column("execution", _KEY, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("stream", _KEY, nullable=False),
        sa.Column("stream_seq", sa.BigInteger, nullable=False),
        sa.Column("timestamp", sa.Double, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("raw", sa.Text),
        sa.Column("dropped", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("stream", "stream_seq", name="uq_lines_stream_stream_seq"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("lines")
    op.drop_table("streams")
    op.drop_table("executions")
