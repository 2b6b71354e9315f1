"""A Temporal server that is down for a while: what is made up for, and what is not."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from temporalio.client import Client, ScheduleInfo

from contracts import names
from schedules.store import Schedules
from tests.conftest import pick_port
from tests.schedules import schedule
from worker.settings import load_settings
from worker.temporal import connect

EVERY = 2
OUTAGE_SECONDS = 20.0
# The shortest window that Temporal takes.
SHORT_WINDOW = 10


@contextlib.asynccontextmanager
async def dev_server(binary: str, port: int, database: Path) -> AsyncIterator[Client]:
    process = await asyncio.create_subprocess_exec(
        binary, "server", "start-dev", "--headless", "--port", str(port),
        "--db-filename", str(database), "--log-level", "never",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        settings = load_settings(
            state_dir=database.parent, temporal={"address": f"127.0.0.1:{port}"}
        )
        yield await connect(settings, patience=60)
    finally:
        # As a power cut does it.
        process.kill()
        await process.wait()


async def test_runs_that_an_outage_cost_are_made_up_for_within_the_window(
    temporal_binary: str, tmp_path: Path
) -> None:
    port, database = pick_port(), tmp_path / "temporal.db"
    common = {"everySeconds": EVERY, "overlap": "allow_all"}
    async with dev_server(temporal_binary, port, database) as client:
        schedules = Schedules(client, "nobody")
        await schedules.create(schedule(id="patient", catchUpSeconds=300, **common))
        await schedules.create(
            schedule(id="strict", catchUpSeconds=SHORT_WINDOW, **common)
        )
        await started(schedules, "strict", 2)
        before = (await started(schedules, "patient", 2)).num_actions
    # There is no event to wait for: time passes while nobody counts it.
    await asyncio.sleep(OUTAGE_SECONDS)
    async with dev_server(temporal_binary, port, database) as client:
        schedules = Schedules(client, "nobody")
        count = before + int(OUTAGE_SECONDS / EVERY) + 2
        patient = await started(schedules, "patient", count)
        await started(schedules, "strict", 6)
        strict = (await schedules.find("strict")).described.info
        # Temporal tells of the last ten; all of them are found by their ids.
        for id, whole in (("patient", True), ("strict", False)):
            found = [
                datetime.fromisoformat(names.moment_of(one.id) or "")
                async for one in client.list_workflows(f'TemporalScheduledById="{id}"')
            ]
            steps = {after - earlier for earlier, after in pairwise(sorted(set(found)))}
            assert (steps == {timedelta(seconds=EVERY)}) is whole, id
    assert patient.num_actions_missed_catchup_window == 0
    lost = strict.num_actions_missed_catchup_window
    least = int((OUTAGE_SECONDS - SHORT_WINDOW) / EVERY) - 1
    assert lost >= least, "what was older than the window is left out, and counted"


async def started(schedules: Schedules, id: str, count: int) -> ScheduleInfo:
    """What is known of a schedule once it has started so many."""
    async with asyncio.timeout(60):
        while True:
            info = (await schedules.find(id)).described.info
            if info.num_actions >= count:
                return info
            await asyncio.sleep(0.2)
