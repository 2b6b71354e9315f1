"""Deletes what is older than the operator wants to keep, a little at a time."""

import asyncio
import contextlib
import logging
import time

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from gateway.database import Database
from gateway.schema import executions, lines, streams
from gateway.store import Store

_SECONDS_PER_DAY = 86_400
_INTERVAL_SECONDS = 3_600
# A batch is some 10 ms: short enough for the lines that wait to be stored meanwhile.
_BATCH_LINES = 2_000
_BATCH_EXECUTIONS = 100


class Retention:
    """Deletes executions that nothing happened to for `days`; 0 keeps all."""

    def __init__(self, database: Database, store: Store, days: float) -> None:
        self._database = database
        self._store = store
        self._seconds = days * _SECONDS_PER_DAY
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start deleting, now and then once an hour."""
        if self._seconds > 0:
            self._task = asyncio.create_task(self._run(), name="gateway-retention")

    async def stop(self) -> None:
        """End the periodic deleting."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            try:
                await self.sweep()
            except (SQLAlchemyError, OSError):
                logging.getLogger(__name__).exception("Old executions stay for now")
            await asyncio.sleep(_INTERVAL_SECONDS)

    async def sweep(self) -> int:
        """Delete everything that is old enough; return the number of executions."""
        deleted = 0
        before = time.time() - self._seconds
        while found := await self._old(before):
            for key, execution_id, last_seq in found:
                await self._delete(key, execution_id, last_seq)
                deleted += 1
        return deleted

    async def _old(self, before: float) -> list[tuple[int, str, int]]:
        query = (
            sa.select(executions.c.id, executions.c.execution_id, executions.c.last_seq)
            .where(executions.c.updated_at < before)
            .order_by(executions.c.updated_at)
            .limit(_BATCH_EXECUTIONS)
        )
        async with self._database.reader.connect() as connection:
            rows = await connection.execute(query)
            return [(row[0], row[1], row[2]) for row in rows]

    async def _delete(self, key: int, execution_id: str, last_seq: int) -> None:
        # Lines first: if we are killed in between, the execution is found again.
        for first in range(1, last_seq + 1, _BATCH_LINES):
            await self._execute(
                sa.delete(lines).where(
                    lines.c.execution == key,
                    lines.c.seq.between(first, first + _BATCH_LINES - 1),
                )
            )
        await self._execute(
            sa.delete(lines).where(lines.c.execution == key),
            sa.delete(streams).where(streams.c.execution == key),
            sa.delete(executions).where(executions.c.id == key),
            forget=execution_id,
        )

    async def _execute(self, *statements: sa.Delete, forget: str = "") -> None:
        async with self._store.lock:
            async with self._database.writer.begin() as connection:
                for statement in statements:
                    await connection.execute(statement)
            if forget:
                self._store.cache.forget(forget)
