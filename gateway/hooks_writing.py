"""Transactions of the webhooks' tables: one at a time in this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.database import Database
from gateway.errors import StorageFailed
from gateway.store import Store


class Writing:
    """Opens transactions of hooks, beside those of lines and variables."""

    def __init__(self, database: Database, store: Store) -> None:
        self._database = database
        self._store = store

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction to write in; raises StorageFailed.

        IntegrityError passes: somebody else has written the same row.
        """
        try:
            async with self._store.lock, self._database.writer.begin() as connection:
                if connection.dialect.name == "sqlite":
                    # Without it the transaction would begin at its first write, after
                    # the reading.
                    await connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield connection
        except IntegrityError:
            raise
        except (SQLAlchemyError, OSError) as error:
            raise StorageFailed("The database did not take the hook.") from error

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection to read from; raises StorageFailed."""
        try:
            async with self._database.reader.connect() as connection:
                yield connection
        except (SQLAlchemyError, OSError) as error:
            raise StorageFailed("The database did not answer.") from error
