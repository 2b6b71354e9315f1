"""The schedules that Temporal has: find, apply, pause, trigger, backfill, delete."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio.client import (
    Client,
    ScheduleAlreadyRunningError,
    ScheduleBackfill,
    ScheduleDescription,
    ScheduleHandle,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from contracts import names
from contracts.limits import MAX_BACKFILL_RUNS
from contracts.schedule_errors import (
    ScheduleForeign,
    ScheduleNotFound,
    ScheduleRefused,
    ScheduleSpent,
)
from contracts.schedules import EXHAUSTED, Overlap, ScheduleSpec
from schedules.temporal import (
    MEMO,
    OVERLAPS,
    PROJECT,
    differs,
    schedule_of,
    spec_of,
)
from schedules.times import SECOND, until, upcoming

AT_ONCE = 20
# Temporal starts what was asked for within some tens of milliseconds.
TRIGGER_SECONDS = 10.0
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Known:
    """A schedule that Temporal has."""

    id: str
    project: str
    spec: ScheduleSpec | None
    """As it was applied; None when this version cannot read it."""
    described: ScheduleDescription

    @property
    def state(self) -> ScheduleState:
        """Whether it is paused, why, and how many runs are left."""
        return self.described.schedule.state

    @property
    def spent(self) -> bool:
        """Whether all runs that are allowed are done."""
        return self.state.limited_actions and self.state.remaining_actions == 0


@dataclass(frozen=True)
class Triggered:
    """What became of a run that was asked for."""

    execution_id: str | None
    skipped: bool = False
    """Whether it was left out, since another one runs."""


class Schedules:
    """The schedules of one namespace.

    Args:
        client: Temporal.
        task_queue: Where executions run.
        clock: The time now, with a zone.
    """

    def __init__(
        self,
        client: Client,
        task_queue: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._queue = task_queue
        self._clock = clock

    async def find(self, id: str) -> Known:
        """Return one schedule.

        Raises:
            ScheduleNotFound: There is none.
            ScheduleForeign: It was not made by Cronium.
        """
        async with _speaking_of(id):
            described = await self._handle(id).describe()
        memo = await described.memo()
        mark = memo.get(MEMO)
        if not isinstance(mark, dict):
            raise ScheduleForeign(f"schedule {id} was not made by Cronium")
        spec = await spec_of(self._client, described)
        return Known(id, str(mark.get(PROJECT, "")), spec, described)

    async def all(self, project: str | None = None) -> list[Known]:
        """Return all schedules, or those of a project, in order of their ids."""
        ids = []
        async for listed in await self._client.list_schedules():
            mark = (await listed.memo()).get(MEMO)
            if isinstance(mark, dict) and project in (None, mark.get(PROJECT, "")):
                ids.append(listed.id)
        limit = asyncio.Semaphore(AT_ONCE)

        async def look(id: str) -> Known | None:
            async with limit:
                try:
                    return await self.find(id)
                except (ScheduleNotFound, ScheduleForeign):
                    return None  # Deleted a moment ago: lists are behind.

        found = await asyncio.gather(*(look(id) for id in sorted(ids)))
        return [known for known in found if known is not None]

    async def create(self, spec: ScheduleSpec, project: str = "") -> None:
        """Make a schedule.

        Raises:
            ScheduleForeign: There is one of this id.
            ScheduleRefused: Temporal does not take it.
        """
        state = ScheduleState(
            paused=bool(spec.paused),
            note="paused by its file" if spec.paused else None,
            limited_actions=spec.max_runs is not None,
            remaining_actions=spec.max_runs or 0,
        )
        made = schedule_of(spec, self._queue, self._clock(), state)
        try:
            async with _speaking_of(spec.id):
                await self._client.create_schedule(
                    spec.id, made, memo={MEMO: {PROJECT: project}}
                )
        except ScheduleAlreadyRunningError:
            raise ScheduleForeign(f"schedule {spec.id} is there already") from None

    def drifted(self, known: Known, spec: ScheduleSpec) -> bool:
        """Whether Temporal has other times or policies than a schedule would get now.

        Somebody changed them outside, or clock changes of another year are known.
        """
        wanted = schedule_of(spec, self._queue, self._clock(), known.state)
        return differs(wanted, known.described.schedule)

    async def update(self, spec: ScheduleSpec) -> None:
        """Change a schedule; runs that were made, and a pause, stay counted and true.

        Raises:
            ScheduleNotFound: There is none.
            ScheduleRefused: Temporal does not take it.
        """

        async def change(given: ScheduleUpdateInput) -> ScheduleUpdate:
            old = await spec_of(self._client, given.description)
            state = _carried(spec, old, given.description.schedule.state)
            return ScheduleUpdate(schedule_of(spec, self._queue, self._clock(), state))

        async with _speaking_of(spec.id):
            await self._handle(spec.id).update(change)

    async def delete(self, id: str) -> None:
        """Delete a schedule; executions that run go on.

        Raises:
            ScheduleNotFound: There is none.
            ScheduleForeign: It was not made by Cronium.
        """
        await self.find(id)
        async with _speaking_of(id):
            await self._handle(id).delete()

    async def pause(self, id: str, note: str) -> None:
        """Start no more runs until it is resumed."""
        await self.find(id)
        async with _speaking_of(id):
            await self._handle(id).pause(note=note)

    async def resume(self, id: str, note: str, runs: int | None = None) -> None:
        """Start runs again.

        Args:
            id: Which.
            note: Who and why, for people.
            runs: How many runs may follow, of a schedule with `maxRuns`.

        Raises:
            ScheduleSpent: All its runs are done and no more were given.
        """
        known = await self.find(id)
        if runs is None and known.spent:
            raise ScheduleSpent(f"all runs of schedule {id} are done")

        def change(given: ScheduleUpdateInput) -> ScheduleUpdate:
            schedule = given.description.schedule
            schedule.state.paused, schedule.state.note = False, note
            if runs is not None:
                schedule.state.limited_actions = True
                schedule.state.remaining_actions = runs
            return ScheduleUpdate(schedule)

        async with _speaking_of(id):
            await self._handle(id).update(change)

    async def trigger(self, id: str, overlap: Overlap | None = None) -> Triggered:
        """Run it now, paused or not; it does not count as one of `maxRuns`."""
        handle = self._handle(id)
        before = (await self.find(id)).described.info
        if before.recent_actions:
            # Temporal names a run after its second, and loses one of a name that runs.
            passed = self._clock() - before.recent_actions[-1].started_at
            await asyncio.sleep(min(1.0, max(0.0, 1.0 - passed / SECOND)))
        async with _speaking_of(id):
            await handle.trigger(overlap=OVERLAPS[overlap] if overlap else None)
        for _ in range(int(TRIGGER_SECONDS / POLL_SECONDS)):
            now = (await handle.describe()).info
            if now.num_actions > before.num_actions and now.recent_actions:
                started = now.recent_actions[-1].action
                run_id = getattr(started, "first_execution_run_id", "")
                workflow_id = getattr(started, "workflow_id", "")
                return Triggered(names.execution_of(workflow_id, run_id))
            if now.num_actions_skipped_overlap > before.num_actions_skipped_overlap:
                return Triggered(None, skipped=True)
            await asyncio.sleep(POLL_SECONDS)
        return Triggered(None)

    async def backfill(
        self, id: str, start: datetime, end: datetime, overlap: Overlap
    ) -> int:
        """Run it for each of its times from start to end, both included.

        Returns:
            How many runs these are.

        Raises:
            ScheduleRefused: They are too many at once, or have not come yet.
        """
        if end > self._clock():
            raise ScheduleRefused(
                "the last time of a backfill has not come yet",
                hint="Its own times come by themselves; `trigger` runs it now.",
            )
        known = await self.find(id)
        if known.spec is None:
            raise ScheduleRefused(f"schedule {id} was made by another version")
        times = until(upcoming(known.spec, start - SECOND), end)
        if len(times) > MAX_BACKFILL_RUNS:
            raise ScheduleRefused(
                f"these are {len(times)} runs, of at most {MAX_BACKFILL_RUNS} at once",
                hint="Backfill a shorter time, and the rest when it is done.",
            )
        # Versions of Temporal differ in whether the start itself is part of it.
        first = start - timedelta(microseconds=1)
        async with _speaking_of(id):
            await self._handle(id).backfill(
                ScheduleBackfill(first, end, OVERLAPS[overlap])
            )
        return len(times)

    def _handle(self, id: str) -> ScheduleHandle:
        return self._client.get_schedule_handle(id)


def _carried(
    spec: ScheduleSpec, old: ScheduleSpec | None, state: ScheduleState
) -> ScheduleState:
    """Return the state after an edit: runs that are done stay counted."""
    paused, note = state.paused, state.note
    left = spec.max_runs or 0
    if spec.max_runs is not None and old is not None and old.max_runs is not None:
        done = max(0, old.max_runs - state.remaining_actions)
        left = max(0, spec.max_runs - done)
    if paused and (note or "").startswith(EXHAUSTED) and (left or not spec.max_runs):
        paused, note = False, None
    if spec.max_runs and not left:
        paused, note = True, f"{EXHAUSTED} ({spec.max_runs})"
    elif spec.paused is not None and spec.paused != paused:
        paused = spec.paused
        note = "paused by its file" if paused else "resumed by its file"
    return ScheduleState(
        paused=paused,
        note=note,
        limited_actions=spec.max_runs is not None,
        remaining_actions=left,
    )


@asynccontextmanager
async def _speaking_of(id: str) -> AsyncIterator[None]:
    try:
        yield
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise ScheduleNotFound(f"there is no schedule {id}") from None
        if error.status is RPCStatusCode.INVALID_ARGUMENT:
            raise ScheduleRefused(f"Temporal refused: {error.message}") from None
        raise
