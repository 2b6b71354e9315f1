"""Schedules on a real Temporal server: what they start, skip, count, pause and keep."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import (
    Client,
    ScheduleUpdate,
    ScheduleUpdateInput,
    WorkflowExecution,
    WorkflowExecutionStatus,
)
from temporalio.client import (
    ScheduleSpec as TemporalTimes,
)
from temporalio.converter import PayloadCodec

from contracts import names
from contracts.graphs import GraphRequest
from contracts.results import ExecutionResult, Status
from contracts.schedule_errors import (
    ScheduleForeign,
    ScheduleNotFound,
    ScheduleRefused,
    ScheduleSpent,
)
from contracts.schedules import Overlap
from schedules.plan import Act, perform, plan
from schedules.store import Known, Schedules
from schedules.times import until, upcoming
from tests.caller import event
from tests.schedules import schedule
from tests.temporal.scripted import (
    FAILS,
    SUCCEEDS,
    Script,
    Scripted,
    runs_until_cancelled,
)
from worker.temporal import data_converter

NUMBERS = itertools.count(1)
HOURLY = {"everySeconds": 3600}
QUICK = {"everySeconds": 1}


class Ground:
    """Schedules, and a queue of their own."""

    def __init__(self, server: Scripted) -> None:
        number = next(NUMBERS)
        self.server = Scripted(server.client, f"schedules-{number}")
        self.schedules = Schedules(server.client, self.server.queue)
        self.id = f"s{number}"

    async def known(self) -> Known:
        return await self.schedules.find(self.id)

    async def until(self, fits: Callable[[Known], bool], seconds: float = 30) -> Known:
        """The schedule, once it is as told."""
        async with asyncio.timeout(seconds):
            while not fits(known := await self.known()):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        return known

    async def runs(self, count: int, seconds: float = 60) -> list[WorkflowExecution]:
        """The executions of the schedule, once so many are over; in order of times."""
        query = f'TemporalScheduledById="{self.id}"'
        async with asyncio.timeout(seconds):
            while True:
                found = [one async for one in self.server.client.list_workflows(query)]
                over = WorkflowExecutionStatus.COMPLETED
                if sum(one.status is over for one in found) >= count:
                    return sorted(found, key=lambda one: (one.id, one.start_time))
                await asyncio.sleep(0.1)

    async def result(self, run: WorkflowExecution) -> ExecutionResult:
        handle = self.server.client.get_workflow_handle(
            run.id, run_id=run.run_id, result_type=ExecutionResult
        )
        return await handle.result()

    def following(self, script: Script) -> Any:
        return self.server.following(script, answers=False)


@pytest.fixture
async def ground(server: Scripted) -> AsyncIterator[Ground]:
    made = Ground(server)
    yield made
    for known in await made.schedules.all():
        await made.schedules.delete(known.id)


def succeeding(times: int = 300) -> Script:
    return Script(run=[SUCCEEDS] * times)


async def test_a_run_has_an_id_of_its_own_and_knows_its_time(ground: Ground) -> None:
    script = succeeding()
    await ground.schedules.create(
        schedule(id=ground.id, input={"n": 1}, user="ada", priority=2, **QUICK)
    )
    async with ground.following(script):
        runs = await ground.runs(2)
        await ground.schedules.delete(ground.id)
    for run in runs[:2]:
        result = await ground.result(run)
        assert result.execution_id == names.execution_of(run.id, run.run_id)
        assert result.execution_id.startswith(f"{ground.id}-20")
        assert run.id.startswith(f"event:test:{ground.id}-20")
    order = script.runs[0].request
    assert (order.trigger, order.user, order.input) == ("schedule", "ada", {"n": 1})
    assert order.scheduled_for == names.moment_of(runs[0].id)
    shown = {record.execution_id for record in script.records}
    assert {names.execution_of(run.id, run.run_id) for run in runs[:2]} <= shown
    first, second = (datetime.fromisoformat(names.moment_of(r.id)) for r in runs[:2])
    # A second is left out when the run before is not yet over.
    assert second > first


async def test_a_time_that_is_run_again_is_another_execution(ground: Ground) -> None:
    await ground.schedules.create(schedule(id=ground.id, **HOURLY))
    at = datetime(2026, 5, 1, tzinfo=UTC)
    async with ground.following(succeeding()):
        await ground.schedules.backfill(ground.id, at, at, Overlap.ALLOW_ALL)
        await ground.runs(1)
        await ground.schedules.backfill(ground.id, at, at, Overlap.ALLOW_ALL)
        first, second = await ground.runs(2)
    assert first.id == second.id
    ids = {(await ground.result(run)).execution_id for run in (first, second)}
    assert len(ids) == 2


async def test_overlap_skips_while_a_run_is_under_way(ground: Ground) -> None:
    script = Script(run=[runs_until_cancelled, *[SUCCEEDS] * 50])
    await ground.schedules.create(schedule(id=ground.id, **QUICK))
    async with ground.following(script):
        await asyncio.wait_for(script.called.wait(), 30)
        busy = await ground.until(
            lambda known: known.described.info.num_actions_skipped_overlap >= 3
        )
        assert busy.described.info.num_actions == 1
        (running,) = busy.described.info.running_actions
        await ground.server.client.get_workflow_handle(running.workflow_id).cancel()
        await ground.until(lambda known: known.described.info.num_actions >= 2)
        await ground.schedules.pause(ground.id, "enough")


async def test_after_its_maximum_it_is_paused_with_a_note(ground: Ground) -> None:
    script = succeeding()
    await ground.schedules.create(schedule(id=ground.id, maxRuns=3, **QUICK))
    async with ground.following(script):
        await ground.schedules.trigger(ground.id, Overlap.ALLOW_ALL)
        known = await ground.until(lambda known: known.state.paused)
        assert known.state.note == "every run of maxRuns is done (3)"
        assert known.spent
        assert known.described.info.num_actions == 4, "three, and one by hand"
        with pytest.raises(ScheduleSpent):
            await ground.schedules.resume(ground.id, "on")
        await ground.schedules.resume(ground.id, "on", runs=2)
        known = await ground.until(lambda known: known.state.paused)
        assert known.described.info.num_actions == 6


async def test_raising_the_maximum_lets_it_go_on(ground: Ground) -> None:
    spec = schedule(id=ground.id, maxRuns=2, **QUICK)
    await ground.schedules.create(spec)
    async with ground.following(succeeding()):
        await ground.until(lambda known: known.state.paused)
        await ground.schedules.update(spec.model_copy(update={"max_runs": 5}))
        known = await ground.until(
            lambda known: known.state.paused and known.described.info.num_actions > 2
        )
    assert known.described.info.num_actions == 5
    assert known.state.note == "every run of maxRuns is done (5)"


async def test_a_failure_pauses_it_when_it_says_so(ground: Ground) -> None:
    script = Script(run=[SUCCEEDS, FAILS, *[SUCCEEDS] * 50])
    await ground.schedules.create(schedule(id=ground.id, pauseOnFailure=True, **QUICK))
    async with ground.following(script):
        known = await ground.until(lambda known: known.state.paused)
    assert len(script.runs) == 2
    failed = script.runs[1].request.execution_id
    assert f"execution {failed} ended with FAILURE" in (known.state.note or "")


async def test_a_cancelled_run_does_not_pause_it(ground: Ground) -> None:
    script = Script(run=[runs_until_cancelled, *[SUCCEEDS] * 50])
    await ground.schedules.create(schedule(id=ground.id, pauseOnFailure=True, **QUICK))
    async with ground.following(script):
        await asyncio.wait_for(script.called.wait(), 30)
        known = await ground.until(lambda known: known.described.info.running_actions)
        (running,) = known.described.info.running_actions
        handle = ground.server.client.get_workflow_handle(
            running.workflow_id, result_type=ExecutionResult
        )
        await handle.cancel()
        assert (await handle.result()).status is Status.CANCELLED
        known = await ground.until(lambda known: known.described.info.num_actions > 1)
    assert not known.state.paused


async def test_a_request_that_is_refused_pauses_it_too(ground: Ground) -> None:
    """Names of an inventory that are not written out cannot be run."""
    spec = schedule(id=ground.id, pauseOnFailure=True, **QUICK)
    assert spec.event is not None
    named = spec.event.model_copy(update={"targets": ["nowhere"]})
    await ground.schedules.create(spec.model_copy(update={"event": named}))
    async with ground.following(Script()):
        known = await ground.until(lambda known: known.state.paused)
    assert known.described.info.num_actions >= 1


async def test_a_paused_one_runs_when_it_is_told_to(ground: Ground) -> None:
    await ground.schedules.create(schedule(id=ground.id, paused=True, **QUICK))
    async with ground.following(succeeding()):
        done = await ground.schedules.trigger(ground.id)
        (run,) = await ground.runs(1)
    assert done.execution_id == names.execution_of(run.id, run.run_id)
    assert (await ground.known()).state.paused


async def test_a_trigger_says_when_it_was_skipped(ground: Ground) -> None:
    script = Script(run=[runs_until_cancelled, SUCCEEDS])
    await ground.schedules.create(schedule(id=ground.id, **HOURLY))
    async with ground.following(script):
        first = await ground.schedules.trigger(ground.id)
        await asyncio.wait_for(script.called.wait(), 30)
        second = await ground.schedules.trigger(ground.id)
        assert (second.execution_id, second.skipped) == (None, True)
        beside = await ground.schedules.trigger(ground.id, Overlap.ALLOW_ALL)
        assert beside.execution_id not in (None, first.execution_id)
        known = await ground.known()
        (running, *_) = known.described.info.running_actions
        await ground.server.client.get_workflow_handle(running.workflow_id).cancel()
        await ground.runs(2)


async def test_two_months_are_filled_each_night_once(ground: Ground) -> None:
    """Clocks went forward in them: that night has its run as well."""
    spec = schedule(
        id=ground.id, cron="30 2 * * *", timezone="Europe/Berlin", paused=True
    )
    await ground.schedules.create(spec)
    first = datetime(2026, 3, 1, tzinfo=spec.zone).astimezone(UTC)
    last = datetime(2026, 4, 30, 23, tzinfo=spec.zone).astimezone(UTC)
    count = await ground.schedules.backfill(ground.id, first, last, Overlap.ALLOW_ALL)
    assert count == 61
    async with ground.following(succeeding()):
        runs = await ground.runs(61)
    got = [names.moment_of(run.id) for run in runs]
    assert got == [
        f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in until(upcoming(spec, first), last)
    ]
    assert "2026-03-29T01:00:00Z" in got, "03:00, since there was no 02:30"


async def test_the_hour_that_came_twice_is_filled_once_or_twice(
    ground: Ground,
) -> None:
    """Once at a time of the day, twice by the real clock."""
    first = datetime(2026, 10, 24, 12, tzinfo=UTC)
    last = datetime(2026, 10, 25, 3, tzinfo=UTC)
    for cron, expected in (("30 2 * * *", 1), ("*/30 2 * * *", 4)):
        ground.id += "x"  # Nobody works on them: the ones before run still.
        spec = schedule(id=ground.id, cron=cron, timezone="Europe/Berlin", paused=True)
        await ground.schedules.create(spec)
        asked = await ground.schedules.backfill(
            ground.id, first, last, Overlap.ALLOW_ALL
        )
        assert asked == expected
        known = await ground.until(
            lambda known: known.described.info.num_actions >= asked  # noqa: B023
        )
        assert known.described.info.num_actions == expected
        await ground.schedules.delete(ground.id)


async def test_a_backfill_runs_one_after_the_other_and_both_ends_count(
    ground: Ground,
) -> None:
    script = succeeding()
    await ground.schedules.create(schedule(id=ground.id, maxRuns=1, **HOURLY))
    first, last = (datetime(2026, 5, 1, hour, tzinfo=UTC) for hour in (0, 5))
    async with ground.following(script):
        count = await ground.schedules.backfill(
            ground.id, first, last, Overlap.BUFFER_ALL
        )
        runs = await ground.runs(6)
    assert (count, len(runs)) == (6, 6)
    for before, after in pairwise(sorted(runs, key=lambda run: run.start_time)):
        assert before.close_time is not None
        assert before.close_time <= after.start_time
    state = (await ground.known()).state
    assert (state.remaining_actions, state.paused) == (1, False), "by hand: not counted"


async def test_too_large_a_backfill_is_refused(ground: Ground) -> None:
    await ground.schedules.create(schedule(id=ground.id, everySeconds=60))
    first = datetime(2026, 5, 1, tzinfo=UTC)
    with pytest.raises(ScheduleRefused, match="1441 runs, of at most 1000"):
        await ground.schedules.backfill(
            ground.id, first, first + timedelta(days=1), Overlap.BUFFER_ALL
        )


async def test_a_backfill_of_what_has_not_come_is_refused(ground: Ground) -> None:
    await ground.schedules.create(schedule(id=ground.id, **HOURLY))
    now = datetime.now(UTC)
    with pytest.raises(ScheduleRefused, match="has not come yet"):
        await ground.schedules.backfill(
            ground.id, now, now + timedelta(days=1), Overlap.BUFFER_ALL
        )


async def test_an_edit_takes_effect_at_once(ground: Ground) -> None:
    script = succeeding()
    slow = schedule(id=ground.id, **HOURLY)
    await ground.schedules.create(slow)
    async with ground.following(script):
        edited = schedule(id=ground.id, input="new", **QUICK)
        await ground.schedules.update(edited)
        await ground.runs(1)
        assert script.runs[0].request.input == "new"
        assert (await ground.known()).spec == edited
        await ground.schedules.update(slow)
        known = await ground.known()
        assert known.spec == slow
        upcoming_ = known.described.info.next_action_times
        assert upcoming_[1] - upcoming_[0] == timedelta(hours=1)


async def test_jitter_stays_within_its_bounds(ground: Ground) -> None:
    await ground.schedules.create(
        schedule(id=ground.id, everySeconds=2, jitterSeconds=2, overlap="allow_all")
    )
    known = await ground.until(lambda known: known.described.info.num_actions >= 6)
    delays = [
        run.scheduled_at
        - datetime.fromisoformat(names.moment_of(run.action.workflow_id))
        for run in known.described.info.recent_actions
    ]
    assert all(timedelta(0) <= delay <= timedelta(seconds=2) for delay in delays)
    assert len(set(delays)) > 1


async def test_what_is_applied_twice_changes_nothing(ground: Ground) -> None:
    spec = schedule(
        id=ground.id,
        cron=["30 2 * * *", "0 12 13 * 5"],
        timezone="Europe/Berlin",
        startAt="2026-01-01T05:00",
        endAt="2030-01-01",
        jitterSeconds=30,
        catchUpSeconds=600,
        maxRuns=7,
        overlap="buffer_one",
        description="é",
        pauseOnFailure=True,
        input={"a": [1, None, 0.5]},
        priority=1,
    )
    (step,) = await plan(ground.schedules, [spec], "p")
    assert step.act is Act.CREATE
    await perform(ground.schedules, step, "p")
    (again,) = await plan(ground.schedules, [spec], "p")
    assert (again.act, again.diff()) == (Act.NONE, [])
    assert (await ground.known()).spec == spec


async def test_a_graph_is_started_by_its_own_workflow(ground: Ground) -> None:
    graph = {"id": "g", "name": "G", "nodes": {"a": {"event": event("true")}}}
    spec = schedule(id=ground.id, workflow=graph, input=[1], **HOURLY)
    await ground.schedules.create(spec)
    assert (await ground.known()).spec == spec
    done = await ground.schedules.trigger(ground.id)
    known = await ground.known()
    (running,) = known.described.info.running_actions
    assert running.workflow_id.startswith(f"graph:g:{ground.id}-20")
    found = names.execution_of(running.workflow_id, running.first_execution_run_id)
    assert done.execution_id == found
    handle = ground.server.client.get_workflow_handle(running.workflow_id)
    history = await handle.fetch_history()
    begun = history.events[0].workflow_execution_started_event_attributes
    assert begun.workflow_type.name == names.GRAPH_WORKFLOW
    (request,) = await ground.server.client.data_converter.decode(
        begun.input.payloads, [GraphRequest]
    )
    assert (request.workflow, request.input) == (spec.workflow, [1])
    assert (request.trigger, request.schedule.id) == ("schedule", ground.id)
    await handle.terminate()


async def test_a_graph_runs_knows_its_time_and_pauses_at_its_maximum(
    ground: Ground,
) -> None:
    graph = {
        "id": "g",
        "name": "G",
        "nodes": {
            "a": {"event": event("true")},
            "b": {"event": event("true"), "after": "a"},
        },
    }
    spec = schedule(id=ground.id, workflow=graph, maxRuns=1, **QUICK)
    script = succeeding()
    await ground.schedules.create(spec)
    async with ground.following(script):
        known = await ground.until(lambda known: known.state.paused)
        (run,) = await ground.runs(1)
    assert known.state.note == "every run of maxRuns is done (1)"
    execution = names.execution_of(run.id, run.run_id)
    first, second = (order.request for order in script.runs)
    assert first.execution_id == second.execution_id == execution
    assert first.scheduled_for == second.scheduled_for == names.moment_of(run.id)
    assert {record.execution_id for record in script.records} == {execution}


async def test_a_graph_that_fails_pauses_its_schedule(ground: Ground) -> None:
    graph = {"id": "g", "name": "G", "nodes": {"a": {"event": event("false")}}}
    spec = schedule(id=ground.id, workflow=graph, pauseOnFailure=True, **QUICK)
    await ground.schedules.create(spec)
    async with ground.following(Script(run=[FAILS] * 50)):
        known = await ground.until(lambda known: known.state.paused)
    assert "ended with FAILURE" in (known.state.note or "")


class Reversing(PayloadCodec):
    """Makes payloads unreadable for whoever does not know how."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [
            Payload(
                metadata={"encoding": b"reversed"}, data=one.SerializeToString()[::-1]
            )
            for one in payloads
        ]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload.FromString(one.data[::-1]) for one in payloads]


async def test_encoded_payloads_are_read_back_and_nothing_is_in_clear(
    ground: Ground,
) -> None:
    plain = ground.server.client
    config = plain.config()
    config["data_converter"] = replace(data_converter, payload_codec=Reversing())
    schedules = Schedules(Client(**config), ground.server.queue)
    spec = schedule(id=ground.id, input="plain words", cron="0 1 * * *")
    (step,) = await plan(schedules, [spec], "p")
    await perform(schedules, step, "p")
    (again,) = await plan(schedules, [spec], "p")
    assert (again.act, [one.id for one in await schedules.all("p")]) == (
        Act.NONE, [ground.id],
    )  # fmt: skip
    described = await plain.get_schedule_handle(ground.id).describe()
    assert b"plain words" not in described.raw_description.SerializeToString()
    await schedules.delete(ground.id)


async def test_a_change_is_told_as_a_diff_and_applied(ground: Ground) -> None:
    spec = schedule(id=ground.id, cron="0 1 * * *")
    await ground.schedules.create(spec, "p")
    edited = schedule(id=ground.id, cron="0 2 * * *")
    (step,) = await plan(ground.schedules, [edited], "p")
    assert step.act is Act.UPDATE
    changed = [line for line in step.diff() if line[0] in "+-"]
    assert changed == ["-- 0 1 * * *", "+- 0 2 * * *"]
    assert (await ground.known()).spec == spec, "a plan changes nothing"
    await perform(ground.schedules, step, "p")
    assert (await ground.known()).spec == edited


async def test_what_somebody_changed_outside_is_put_right(ground: Ground) -> None:
    spec = schedule(id=ground.id, cron="0 1 * * *")
    await ground.schedules.create(spec, "p")

    def meddle(given: ScheduleUpdateInput) -> ScheduleUpdate:
        found = given.description.schedule
        found.spec = TemporalTimes(cron_expressions=["5 5 * * *"])
        return ScheduleUpdate(found)

    handle = ground.server.client.get_schedule_handle(ground.id)
    await handle.update(meddle)
    (step,) = await plan(ground.schedules, [spec], "p")
    assert step.act is Act.REFRESH
    await perform(ground.schedules, step, "p")
    (step,) = await plan(ground.schedules, [spec], "p")
    assert step.act is Act.NONE


async def test_pruning_takes_what_the_project_made_and_nothing_else(
    ground: Ground,
) -> None:
    kept, mine, theirs = (f"{ground.id}-{word}" for word in ("kept", "mine", "theirs"))
    specs = {id: schedule(id=id, **HOURLY) for id in (kept, mine, theirs)}
    await ground.schedules.create(specs[kept], "one")
    await ground.schedules.create(specs[mine], "one")
    await ground.schedules.create(specs[theirs], "two")
    async with asyncio.timeout(30):
        while len(await ground.schedules.all()) < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    steps = await plan(ground.schedules, [specs[kept]], "one", prune=True)
    assert {step.id: step.act for step in steps} == {kept: Act.NONE, mine: Act.DELETE}
    for step in steps:
        await perform(ground.schedules, step, "one")
    with pytest.raises(ScheduleNotFound):
        await ground.schedules.find(mine)
    assert (await ground.schedules.find(theirs)).project == "two"


async def test_another_projects_schedule_is_not_taken_over(ground: Ground) -> None:
    spec = schedule(id=ground.id, **HOURLY)
    await ground.schedules.create(spec, "one")
    with pytest.raises(ScheduleForeign, match="belongs to project one"):
        await plan(ground.schedules, [spec], "two")
    with pytest.raises(ScheduleForeign, match="there already"):
        await ground.schedules.create(spec, "two")


async def test_a_schedule_of_somebody_else_is_left_alone(ground: Ground) -> None:
    from temporalio.client import Schedule, ScheduleActionStartWorkflow

    handle = await ground.server.client.create_schedule(
        ground.id,
        Schedule(
            action=ScheduleActionStartWorkflow("Foreign", id="f", task_queue="f"),
            spec=TemporalTimes(),
        ),
    )
    try:
        assert ground.id not in {known.id for known in await ground.schedules.all()}
        with pytest.raises(ScheduleForeign, match="not made by Cronium"):
            await plan(ground.schedules, [schedule(id=ground.id, **HOURLY)], "p")
        for ask in (ground.schedules.delete, ground.schedules.trigger):
            with pytest.raises(ScheduleForeign, match="not made by Cronium"):
                await ask(ground.id)
        with pytest.raises(ScheduleForeign, match="not made by Cronium"):
            await ground.schedules.pause(ground.id, "no")
    finally:
        await handle.delete()


async def test_a_pause_by_hand_outlives_an_apply_but_not_the_files_word(
    ground: Ground,
) -> None:
    spec = schedule(id=ground.id, **HOURLY)
    await ground.schedules.create(spec)
    await ground.schedules.pause(ground.id, "disk is full")
    await ground.schedules.update(schedule(id=ground.id, everySeconds=60))
    state = (await ground.known()).state
    assert (state.paused, state.note) == (True, "disk is full")
    told = schedule(id=ground.id, everySeconds=60, paused=False)
    (step,) = await plan(ground.schedules, [told], None)
    assert step.act is Act.UPDATE
    await perform(ground.schedules, step, "")
    assert not (await ground.known()).state.paused


@pytest.mark.parametrize(
    "ask",
    [
        lambda schedules: schedules.find("none"),
        lambda schedules: schedules.pause("none", ""),
        lambda schedules: schedules.resume("none", ""),
        lambda schedules: schedules.trigger("none"),
        lambda schedules: schedules.delete("none"),
        lambda schedules: schedules.update(schedule(id="none", **HOURLY)),
    ],
    ids=["find", "pause", "resume", "trigger", "delete", "update"],
)
async def test_what_is_not_there_is_said(
    ask: Callable[[Schedules], Awaitable[Any]], ground: Ground
) -> None:
    with pytest.raises(ScheduleNotFound, match="there is no schedule none"):
        await ask(ground.schedules)
