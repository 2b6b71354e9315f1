"""Everything that is read from the database for viewers and the REST API."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from contracts.results import ExecutionResult, Status
from gateway.database import Database
from gateway.errors import ExecutionNotFound
from gateway.live import MAX_MESSAGE_CHARS, LineRow, Source, Summary
from gateway.models import ExecutionDetail, ExecutionSummary
from gateway.schema import executions, lines, streams
from gateway.transaction import summary_of

# 256 lines of the longest kind are 16 MiB of text: what one reader may cost at once.
PAGE_LINES = 256


@dataclass(frozen=True, slots=True)
class Known:
    """One execution as the database has it."""

    key: int
    summary: Summary
    last_seq: int


@dataclass(frozen=True, slots=True)
class LineFilter:
    """Which lines to leave in; None is all."""

    target: str | None = None
    attempt: int | None = None
    stream: str | None = None


Line = tuple[Source, LineRow]
_ALL = LineFilter()
_SUMMARY = [
    column for column in executions.columns if column.name not in ("id", "result")
]


class Reads:
    """Queries; each takes a connection of the readers' pool only for its own time."""

    def __init__(self, database: Database) -> None:
        self._engine = database.reader

    async def check(self) -> None:
        """Raise unless the database answers."""
        async with self._engine.connect() as connection:
            await connection.execute(sa.select(executions.c.id).limit(1))

    async def find(self, execution_id: str) -> Known | None:
        """Return what is known of an execution."""
        async with self._engine.connect() as connection:
            found = await connection.execute(
                sa.select(executions).where(executions.c.execution_id == execution_id)
            )
            row = found.mappings().first()
        return Known(row["id"], summary_of(row), row["last_seq"]) if row else None

    async def detail(self, execution_id: str) -> ExecutionDetail:
        """Return an execution with its result; raises ExecutionNotFound."""
        async with self._engine.connect() as connection:
            found = await connection.execute(
                sa.select(executions).where(executions.c.execution_id == execution_id)
            )
            row = found.mappings().first()
        if row is None:
            raise ExecutionNotFound
        result = row["result"]
        return ExecutionDetail(
            **_summary_fields(row),
            result=ExecutionResult.model_validate_json(result) if result else None,
        )

    async def executions(
        self,
        *,
        limit: int,
        before: int | None = None,
        status: Status | None = None,
        user: str | None = None,
        execution_id: str | None = None,
    ) -> tuple[list[ExecutionSummary], int | None]:
        """Return executions, newest first, and the cursor of the next page."""
        query = sa.select(executions.c.id, *_SUMMARY).order_by(executions.c.id.desc())
        for column, value in (
            (executions.c.status, status and status.value),
            (executions.c.user, user),
            (executions.c.execution_id, execution_id),
        ):
            if value is not None:
                query = query.where(column == value)
        if before is not None:
            query = query.where(executions.c.id < before)
        async with self._engine.connect() as connection:
            found = await connection.execute(query.limit(limit + 1))
            rows = found.mappings().all()
        page = [ExecutionSummary(**_summary_fields(row)) for row in rows[:limit]]
        return page, rows[limit - 1]["id"] if len(rows) > limit else None

    async def lines(
        self, key: int, from_seq: int, *, limit: int, only: LineFilter = _ALL
    ) -> list[Line]:
        """Return lines in order of `seq`; fewer than `limit` only at the end."""
        query = (
            sa.select(*lines.columns, streams.c.target, streams.c.attempt)
            .add_columns(streams.c.dispatch, streams.c.stream.label("stream_name"))
            .join(streams, streams.c.id == lines.c.stream)
            .where(lines.c.execution == key, lines.c.seq >= from_seq)
            .order_by(lines.c.seq)
            .limit(limit)
        )
        for column, value in (
            (streams.c.target, only.target),
            (streams.c.attempt, only.attempt),
            (streams.c.stream, only.stream),
        ):
            if value is not None:
                query = query.where(column == value)
        async with self._engine.connect() as connection:
            found = await connection.execute(query)
            return [(Source(*row[9:]), tuple(row[:9])) for row in found]

    async def pages(
        self, key: int, from_seq: int, *, only: LineFilter = _ALL
    ) -> AsyncIterator[list[Line]]:
        """Give all lines that are stored, some hundred at a time."""
        while page := await self.lines(key, from_seq, limit=PAGE_LINES, only=only):
            yield page
            from_seq = page[-1][1][1] + 1

    async def page(
        self, key: int, from_seq: int, *, limit: int, only: LineFilter
    ) -> tuple[list[Line], bool]:
        """Return up to `limit` lines, fewer when they are long; and whether all."""
        found: list[Line] = []
        chars = 0
        async for page in self.pages(key, from_seq, only=only):
            found += page
            chars += sum(len(row[5]) for _, row in page)
            if len(found) > limit:
                return found[:limit], False
            if chars > 16 * MAX_MESSAGE_CHARS:
                return found, False
        return found, True


def _summary_fields(row: sa.RowMapping) -> dict[str, Any]:
    names = ("execution_id", "event_id", "event_name", "event_type", "user", "trigger")
    fields = {name: row[name] for name in (*names, "status", "workflow_id", "run_id")}
    for name in ("created_at", "started_at", "finished_at"):
        fields[name] = row[name] and datetime.fromtimestamp(row[name], UTC)
    return fields | {"lines": row["last_seq"]}
