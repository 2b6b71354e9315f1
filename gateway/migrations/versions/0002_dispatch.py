"""Streams are told apart by dispatch as well."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_OLD = "uq_streams_execution_target_attempt_stream"
_NEW = "uq_streams_execution_target_attempt_dispatch_stream"
# A copy of the table must not use the numbers of deleted rows again.
_KEEP = {"sqlite_autoincrement": True}


def upgrade() -> None:
    with op.batch_alter_table("streams", table_kwargs=_KEEP) as table:
        table.add_column(
            sa.Column("dispatch", sa.Integer, nullable=False, server_default="1")
        )
        table.drop_constraint(_OLD, type_="unique")
        table.create_unique_constraint(
            _NEW, ["execution", "target", "attempt", "dispatch", "stream"]
        )


def downgrade() -> None:
    with op.batch_alter_table("streams", table_kwargs=_KEEP) as table:
        table.drop_constraint(_NEW, type_="unique")
        table.create_unique_constraint(
            _OLD, ["execution", "target", "attempt", "stream"]
        )
        table.drop_column("dispatch")
