"""Stores many records in one transaction: numbers lines, leaves out what is stored."""

import time
from dataclasses import dataclass, field
from itertools import count

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.logs import ExecutionRecord, LineBatch
from contracts.results import Status
from contracts.wire_text import json_text
from gateway.cache import ExecutionState, StateCache, StreamState
from gateway.live import Chunk, LineRow, Source, Summary
from gateway.schema import executions, lines, streams


@dataclass(slots=True)
class Change:
    """What one transaction did to one execution."""

    state: ExecutionState
    chunks: list[Chunk] = field(default_factory=list)


class Transaction:
    """Collects the rows of a group of records; `finish` writes what is left."""

    def __init__(self, connection: AsyncConnection, cache: StateCache) -> None:
        self._connection = connection
        self._cache = cache
        self._rows: list[LineRow] = []
        self._now = time.time()
        self.changes: dict[str, Change] = {}

    async def add(self, record: LineBatch | ExecutionRecord) -> None:
        """Put one record into the transaction."""
        change = self.changes.get(record.execution_id)
        if change is None:
            change = Change(await self._state(record.execution_id))
            self.changes[record.execution_id] = change
        if isinstance(record, ExecutionRecord):
            await self._update(change.state, record)
        elif record.lines:
            await self._append(change, record)

    async def finish(self) -> int:
        """Write everything that is not written yet; return the number of lines."""
        await self._flush()
        if self.changes:
            await self._write_positions()
        return sum(len(c.rows) for x in self.changes.values() for c in x.chunks)

    async def _state(self, execution_id: str) -> ExecutionState:
        known = self._cache.get(execution_id)
        if known is not None:
            # A copy: if the transaction fails, the cache still says what is stored.
            return known.copy()
        return await self._load(execution_id) or await self._create(execution_id)

    async def _load(self, execution_id: str) -> ExecutionState | None:
        found = await self._connection.execute(
            sa.select(executions).where(executions.c.execution_id == execution_id)
        )
        row = found.mappings().first()
        if row is None:
            return None
        known = await self._connection.execute(
            sa.select(streams).where(streams.c.execution == row["id"])
        )
        return ExecutionState(
            key=row["id"],
            execution_id=execution_id,
            summary=summary_of(row),
            last_seq=row["last_seq"],
            streams={
                Source(s.target, s.attempt, s.dispatch, s.stream): StreamState(
                    s.id, s.highest
                )
                for s in known
            },
        )

    async def _create(self, execution_id: str) -> ExecutionState:
        """Make a row that says nothing yet; its execution record fills it."""
        blank = ("event_id", "event_name", "event_type", "user", "trigger")
        values = dict.fromkeys((*blank, "workflow_id", "run_id"), "")
        result = await self._connection.execute(
            sa.insert(executions).values(
                execution_id=execution_id,
                status=Status.RUNNING.value,
                status_at=0.0,
                expected_lines=0,
                last_seq=0,
                created_at=self._now,
                updated_at=self._now,
                **values,
            )
        )
        key = result.inserted_primary_key
        assert key is not None
        summary = Summary("", Status.RUNNING, 0.0, None, 0)
        return ExecutionState(int(key[0]), execution_id, summary, 0)

    async def _update(self, state: ExecutionState, record: ExecutionRecord) -> None:
        values = _identity(record)
        if record.status is Status.RUNNING:
            values["started_at"] = sa.func.coalesce(
                executions.c.started_at, record.timestamp
            )
        if _supersedes(record, state.summary):
            final_at = state.summary.final_at
            if record.status.final:
                final_at = final_at or self._now
            stored = state.summary.expected_lines
            if record.result:
                stored = record.result.logs.stored
                values["result"] = record.result.model_dump_json()
            values |= {
                "status": record.status.value,
                "status_at": record.timestamp,
                "final_at": final_at,
                "finished_at": record.timestamp if record.status.final else None,
                "expected_lines": stored,
            }
            state.summary = Summary(
                record.user, record.status, record.timestamp, final_at, stored
            )
        await self._connection.execute(
            sa.update(executions).where(executions.c.id == state.key).values(values)
        )

    async def _append(self, change: Change, batch: LineBatch) -> None:
        source = Source(batch.target, batch.attempt, batch.dispatch, batch.stream.value)
        stream = await self._stream(change.state, source)
        numbers = await self._missing(stream, batch)
        if not numbers:
            return
        rows = _rows(change.state, stream, batch, numbers)
        change.state.last_seq += len(rows)
        stream.highest = max(stream.highest, numbers[-1])
        self._rows += rows
        change.chunks.append(Chunk(source, rows))

    async def _stream(self, state: ExecutionState, source: Source) -> StreamState:
        found = state.streams.get(source)
        if found is None:
            result = await self._connection.execute(
                sa.insert(streams).values(
                    execution=state.key,
                    target=source.target,
                    attempt=source.attempt,
                    dispatch=source.dispatch,
                    stream=source.stream,
                    highest=0,
                )
            )
            key = result.inserted_primary_key
            assert key is not None
            found = state.streams[source] = StreamState(int(key[0]), 0)
        return found

    async def _missing(
        self, stream: StreamState, batch: LineBatch
    ) -> range | list[int]:
        """Return the stream numbers of the batch that are not stored."""
        numbers = range(batch.first_seq, batch.first_seq + len(batch.lines))
        if numbers.start > stream.highest:
            return numbers
        # Sent again, or overtaken by a later batch on another connection.
        await self._flush()
        known = await self._connection.execute(
            sa.select(lines.c.stream_seq).where(
                lines.c.stream == stream.key,
                lines.c.stream_seq.between(numbers.start, numbers[-1]),
            )
        )
        stored = set(known.scalars())
        return [number for number in numbers if number not in stored]

    async def _flush(self) -> None:
        if self._rows:
            statement, positional = _insert_lines(self._connection)
            if positional:
                await self._connection.exec_driver_sql(statement, self._rows)
            else:
                names = [column.name for column in lines.columns]
                rows = [dict(zip(names, row, strict=True)) for row in self._rows]
                await self._connection.execute(sa.insert(lines), rows)
            self._rows = []

    async def _write_positions(self) -> None:
        await self._connection.execute(
            sa.update(executions)
            .where(executions.c.id == sa.bindparam("key"))
            .values(last_seq=sa.bindparam("last"), updated_at=self._now),
            [
                {"key": change.state.key, "last": change.state.last_seq}
                for change in self.changes.values()
            ],
        )
        touched = [
            {"key": change.state.streams[source].key, "last": stream.highest}
            for change in self.changes.values()
            for source in {chunk.source for chunk in change.chunks}
            for stream in (change.state.streams[source],)
        ]
        if touched:
            await self._connection.execute(
                sa.update(streams)
                .where(streams.c.id == sa.bindparam("key"))
                .values(highest=sa.bindparam("last")),
                touched,
            )


def summary_of(row: sa.RowMapping) -> Summary:
    """Return the summary in a row of `executions`."""
    return Summary(
        user=row["user"],
        status=Status(row["status"]),
        status_at=row["status_at"],
        final_at=row["final_at"],
        expected_lines=row["expected_lines"],
    )


def _supersedes(record: ExecutionRecord, known: Summary) -> bool:
    if record.status.final != known.status.final:
        return record.status.final
    return record.timestamp >= known.status_at


def _identity(record: ExecutionRecord) -> dict[str, object]:
    return {
        "event_id": record.event_id,
        "event_name": record.event_name,
        "event_type": record.event_type,
        "user": record.user,
        "trigger": record.trigger,
        "workflow_id": record.workflow_id,
        "run_id": record.run_id,
    }


def _rows(
    state: ExecutionState,
    stream: StreamState,
    batch: LineBatch,
    numbers: range | list[int],
) -> list[LineRow]:
    key, first, text, raw = state.key, batch.first_seq, batch.lines, batch.raw
    data = {i: json_text(found) for i, found in batch.data.items()}
    when, dropped, of = batch.timestamp, batch.dropped, stream.key
    return [
        (
            key,
            seq,
            of,
            number,
            when,
            text[number - first],
            raw.get(number - first),
            dropped,
            data.get(number - first),
        )
        for seq, number in zip(count(state.last_seq + 1), numbers)
    ]


_STATEMENTS: dict[str, tuple[str, bool]] = {}


def _insert_lines(connection: AsyncConnection) -> tuple[str, bool]:
    """Return the driver's own statement, and whether it takes rows as tuples.

    One executemany with tuples is half the work of one with a dictionary per line.
    """
    dialect = connection.dialect
    if dialect.name not in _STATEMENTS:
        compiled = sa.insert(lines).compile(
            dialect=dialect, column_keys=[column.name for column in lines.columns]
        )
        _STATEMENTS[dialect.name] = (str(compiled), bool(dialect.positional))
    return _STATEMENTS[dialect.name]
