"""The gateway's record of an end: durable when it can be, never in the result's way."""

import asyncio
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import Admitting, ExecutionActivities
from contracts.logs import ExecutionRecord
from contracts.results import Status
from contracts.runs import Admission
from logstream import SpoolDirectory
from tests.temporal.scripted import SUCCEEDS, Script, Scripted

RECORD = ExecutionRecord(
    execution_id="x1",
    event_id="e1",
    event_name="An event",
    event_type="bash",
    user="ann",
    trigger="manual",
    status=Status.SUCCESS,
    timestamp=0.0,
    workflow_id="event:e1:x1",
)


async def test_an_execution_ends_although_its_end_cannot_be_recorded(
    server: Scripted,
) -> None:
    broken = ApplicationError("it breaks each time", non_retryable=True)
    script = Script(run=[SUCCEEDS], refusal=broken)
    async with server.following(script):
        handle = await server.start(script)
        result = await asyncio.wait_for(handle.result(), 30)
    assert result.status is Status.SUCCESS


@pytest.mark.parametrize("takes", [True, False])
async def test_a_record_counts_as_written_when_the_disk_has_taken_it(
    takes: bool, tmp_path: Path
) -> None:
    spools = SpoolDirectory(tmp_path)
    activities = ExecutionActivities(
        Admitting(
            admission=Admission(),
            check=lambda _: None,
            record=lambda record: takes and spools.record(record),
            clock=lambda: 0.0,
        )
    )
    writing = ActivityEnvironment().run(activities.record_execution, RECORD)
    if takes:
        assert await writing
        assert spools.unacked_bytes > 0
    else:
        with pytest.raises(ApplicationError) as caught:
            await writing
        # Temporal asks again: a disk has room again in a moment, or somebody frees it.
        assert (caught.value.type, caught.value.non_retryable) == (
            "LogStorageFull",
            False,
        )
