"""The only writer: stores groups of records, then tells the viewers.

One lock orders everything that is written in this process; that is what makes `seq`
contiguous however many workers send at once.
"""

import asyncio
import time
from collections.abc import Sequence

from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from contracts.logs import ExecutionRecord, LineBatch
from gateway.cache import StateCache
from gateway.database import Database
from gateway.errors import StorageFailed
from gateway.live import Hub
from gateway.metrics import Metrics
from gateway.transaction import Change, Transaction

Record = LineBatch | ExecutionRecord


class Store:
    """Writes records; idempotent, so that senders may send again what they doubt."""

    def __init__(self, database: Database, hub: Hub, metrics: Metrics) -> None:
        self._database = database
        self._hub = hub
        self._metrics = metrics
        self.cache = StateCache()
        self.lock = asyncio.Lock()
        """Held while anything is written."""
        self.problem = ""
        """Why the last group could not be stored; empty when it was."""

    async def write(self, records: Sequence[Record]) -> list[bool]:
        """Store a group in one transaction; return which records were taken.

        A record that the database refuses costs its neighbours nothing. Raises
        StorageFailed when the database itself has a problem; then nothing is stored.
        """
        try:
            async with self.lock:
                taken = await self._write(records)
        except (SQLAlchemyError, OSError) as error:
            self.cache.clear()
            self.problem = f"the database does not store lines: {type(error).__name__}"
            raise StorageFailed from error
        self.problem = ""
        return taken

    async def _write(self, records: Sequence[Record]) -> list[bool]:
        # Another process may have written since (a restart that overlaps): once again
        # with numbers from the database.
        for _ in range(2):
            try:
                await self._commit(records)
            except (IntegrityError, DataError):
                self.cache.clear()
            else:
                return [True] * len(records)
        return [await self._commit_alone(record) for record in records]

    async def _commit_alone(self, record: Record) -> bool:
        try:
            await self._commit([record])
        except (IntegrityError, DataError):
            self.cache.clear()
            return False
        return True

    async def _commit(self, records: Sequence[Record]) -> None:
        began = time.perf_counter()
        async with self._database.writer.begin() as connection:
            transaction = Transaction(connection, self.cache)
            for record in records:
                await transaction.add(record)
            stored = await transaction.finish()
        self._metrics.commit_seconds.observe(time.perf_counter() - began)
        self._metrics.lines_stored.inc(stored)
        for change in transaction.changes.values():
            self._publish(change)

    def _publish(self, change: Change) -> None:
        state = change.state
        self.cache.put(state)
        channel = self._hub.channel(state.execution_id)
        if channel is not None:
            channel.publish(state.summary, state.last_seq, change.chunks)
