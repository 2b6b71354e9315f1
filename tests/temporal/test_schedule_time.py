"""Schedules on a Temporal server whose clock is moved: what it started in the end."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise, takewhile
from typing import Any
from zoneinfo import ZoneInfo

from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from contracts import names
from contracts.limits import MAX_CATCH_UP_SECONDS
from schedules.store import Schedules
from schedules.times import upcoming
from tests.schedules import schedule

BERLIN = ZoneInfo("Europe/Berlin")
MONTHS = 14
# The server moves its clock from timer to timer, and stops after some ten of them.
FEW = 7


async def passed(
    skipping: WorkflowEnvironment,
    begin: datetime,
    steps: int,
    step: timedelta,
    **fields: Any,
) -> list[datetime]:
    """Let time pass from a moment on; return what was due, having been started."""
    client = skipping.client
    # Nothing serves the queue: what counts is what was started, and for when. The clock
    # may run ahead of what it makes due, and that is to be caught up with.
    whole = {"overlap": "allow_all", "catchUpSeconds": MAX_CATCH_UP_SECONDS}
    spec = schedule(**{**whole, "startAt": begin, **fields})
    await Schedules(client, "nobody").create(spec)
    clock = client.get_workflow_handle(f"temporal-sys-scheduler:{spec.id}")
    made = datetime.now(UTC)
    await skipping.fast_forward(clock, begin - made)
    until = begin
    for _ in range(steps):
        try:
            await skipping.fast_forward(clock, step)
        except RPCError:
            # Temporal is done with a schedule when no time is left.
            until += step
            assert spec.end_at is not None
            assert spec.end_at < until
            break
        until = await skipping.get_current_time(clock)
    due = list(takewhile(lambda time: time < until, upcoming(spec, made)))
    assert await started(client, spec.id, len(due)) == due
    return due


async def started(client: Any, id: str, count: int) -> list[datetime]:
    """The times that its executions stand for, once there are so many."""
    query = f'TemporalScheduledById="{id}"'
    async with asyncio.timeout(60):
        while (await client.count_workflows(query)).count < count:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    found = [one.id async for one in client.list_workflows(query)]
    return sorted(datetime.fromisoformat(names.moment_of(one) or "") for one in found)


def months(count: int) -> list[datetime]:
    """The first days of the next months, and of the one behind them."""
    now = datetime.now(UTC)
    numbers = range(now.month, now.month + count + 1)
    return [datetime(now.year + n // 12, n % 12 + 1, 1, tzinfo=UTC) for n in numbers]


async def test_fourteen_months_of_nights_are_run_each_once(
    skipping: WorkflowEnvironment,
) -> None:
    """The clock changes both ways at least once; 02:30 is in the hour that does.

    A schedule for each month, all at the same time: Temporal needs a second a run.
    """
    nightly = {"cron": "30 2 * * *", "timezone": "Europe/Berlin"}

    async def month(number: int, begin: datetime, end: datetime) -> list[datetime]:
        last = {"id": f"nights-{number}", "endAt": end - timedelta(seconds=1)}
        week = timedelta(days=7)
        return await passed(skipping, begin, 5, week, **nightly, **last)

    spans = enumerate(pairwise(months(MONTHS)))
    found = await asyncio.gather(*(month(n, *span) for n, span in spans))
    nights = [time.astimezone(BERLIN) for times in found for time in times]
    offsets = [night.utcoffset() for night in nights]
    changes = [later for before, later in pairwise(offsets) if later != before]
    assert len(changes) >= 2, "into summer and out of it"
    dates = [night.date() for night in nights]
    assert {later - day for day, later in pairwise(dates)} == {timedelta(days=1)}


async def test_the_twenty_ninth_of_february_is_run_in_leap_years_alone(
    skipping: WorkflowEnvironment,
) -> None:
    year = timedelta(days=366)
    begin, leap = months(1)[0], {"id": "leap", "cron": "0 12 29 2 *"}
    ran = await passed(skipping, begin, 9, year, **leap)
    assert len(ran) >= 2
    assert {(time.month, time.day, time.year % 4) for time in ran} == {(2, 29, 0)}


async def test_every_seven_minutes_is_so_over_the_hour_and_over_midnight(
    skipping: WorkflowEnvironment,
) -> None:
    """There `*/7` of cron begins anew."""
    begin, step = months(1)[0] - timedelta(hours=1), timedelta(minutes=7 * FEW)
    ran = await passed(skipping, begin, 3, step, id="often", everySeconds=420)
    assert len(ran) >= 3 * FEW - 1
    assert {later - time for time, later in pairwise(ran)} == {timedelta(minutes=7)}


async def test_after_its_end_nothing_is_run(skipping: WorkflowEnvironment) -> None:
    begin = months(1)[0]
    end = begin + timedelta(days=10, hours=7)
    ran = await passed(
        skipping, begin, 4, timedelta(days=7), id="ending", cron="0 6 * * *", endAt=end
    )
    assert len(ran) == 11
    assert max(ran) < end
