"""The tables. Plain SQL types, so that SQLite and PostgreSQL hold the same schema.

Lines name their execution and stream by number: the texts would be most of the bytes
of a short line, and they would be in two indexes.
"""

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
    }
)

# SQLite numbers rows by itself only when the key is exactly INTEGER.
_Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

executions = sa.Table(
    "executions",
    metadata,
    sa.Column("id", _Key, primary_key=True, autoincrement=True),
    sa.Column("execution_id", sa.String(100), nullable=False, unique=True),
    sa.Column("event_id", sa.String(200), nullable=False),
    sa.Column("event_name", sa.Text, nullable=False),
    sa.Column("event_type", sa.String(100), nullable=False),
    sa.Column("user", sa.String(200), nullable=False),
    sa.Column("trigger", sa.String(100), nullable=False),
    sa.Column("status", sa.String(20), nullable=False),
    # The worker's clock, for the order of statuses. 0: no record has come yet.
    sa.Column("status_at", sa.Double, nullable=False),
    sa.Column("workflow_id", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("result", sa.Text),
    # `result.logs.stored`, so that no reader has to parse the result.
    sa.Column("expected_lines", sa.BigInteger, nullable=False),
    sa.Column("last_seq", sa.BigInteger, nullable=False),
    # The gateway's clock.
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("updated_at", sa.Double, nullable=False),
    sa.Column("final_at", sa.Double),
    sa.Column("started_at", sa.Double),
    sa.Column("finished_at", sa.Double),
    sa.Index(None, "user", "id"),
    sa.Index(None, "status", "id"),
    sa.Index(None, "updated_at"),
    # Numbers are never used again: they are the cursor of the list.
    sqlite_autoincrement=True,
)

streams = sa.Table(
    "streams",
    metadata,
    sa.Column("id", _Key, primary_key=True, autoincrement=True),
    sa.Column("execution", _Key, sa.ForeignKey("executions.id"), nullable=False),
    sa.Column("target", sa.String(200), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("dispatch", sa.Integer, nullable=False, server_default="1"),
    sa.Column("stream", sa.String(20), nullable=False),
    sa.Column("highest", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("execution", "target", "attempt", "dispatch", "stream"),
    sqlite_autoincrement=True,
)

lines = sa.Table(
    "lines",
    metadata,
    # No foreign keys here: they would cost a look-up per line.
    sa.Column("execution", _Key, primary_key=True, autoincrement=False),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("stream", _Key, nullable=False),
    sa.Column("stream_seq", sa.BigInteger, nullable=False),
    sa.Column("timestamp", sa.Double, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("raw", sa.Text),
    sa.Column("dropped", sa.BigInteger, nullable=False),
    # JSON of structured lines; most lines have none.
    sa.Column("data", sa.Text),
    sa.UniqueConstraint("stream", "stream_seq"),
    # SQLite then keeps the lines of an execution side by side, without a third tree.
    sqlite_with_rowid=False,
)

# Byte order everywhere: a database's own order may depend on where it was installed.
_VariableName = sa.String(100).with_variant(sa.String(100, collation="C"), "postgresql")

variables = sa.Table(
    "variables",
    metadata,
    sa.Column("user", sa.String(200), primary_key=True),
    sa.Column("key", _VariableName, primary_key=True),
    # JSON text, so that the type of a value comes back as it was.
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.Double, nullable=False),
    sqlite_with_rowid=False,
)

variable_replies = sa.Table(
    "variable_replies",
    metadata,
    sa.Column("user", sa.String(200), primary_key=True),
    sa.Column("idempotency_key", sa.String(100), primary_key=True),
    # A digest of what was asked: the same key must not answer another question.
    sa.Column("call", sa.String(64), nullable=False),
    sa.Column("reply", sa.Text, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Index(None, "created_at"),
    sqlite_with_rowid=False,
)

hooks = sa.Table(
    "hooks",
    metadata,
    # Byte order of ids everywhere, as with names of variables.
    sa.Column("id", _VariableName, primary_key=True),
    # A digest finds the row; the key itself and the secrets are sealed.
    sa.Column("key_digest", sa.String(64), nullable=False, unique=True),
    sa.Column("key_sealed", sa.Text, nullable=False),
    sa.Column("spec", sa.Text, nullable=False),
    # JSON: a list of `[sealed, until]`, the current one first, with null.
    sa.Column("secrets", sa.Text, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("updated_at", sa.Double, nullable=False),
    sqlite_with_rowid=False,
)

hook_marks = sa.Table(
    "hook_marks",
    metadata,
    # What tells one call from another: a digest of its signature or idempotency key.
    sa.Column("hook", sa.String(100), primary_key=True),
    sa.Column("mark", sa.String(66), primary_key=True),
    sa.Column("body", sa.String(64), nullable=False),
    sa.Column("execution_id", sa.String(100), nullable=False),
    # Empty until Temporal has taken the start.
    sa.Column("workflow_id", sa.Text, nullable=False),
    sa.Column("expires_at", sa.Double, nullable=False),
    sa.Index(None, "expires_at"),
    sqlite_with_rowid=False,
)
