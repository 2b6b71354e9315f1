"""Runs migrations on the connection that `gateway.database` gives."""

from alembic import context

from gateway.schema import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata
)
with context.begin_transaction():
    context.run_migrations()
