"""The gateway is killed, cut off or silent: runs go on, no line is lost or doubled."""

import asyncio
import contextlib
import json
import random
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.chaos.conftest import length, rounds
from tests.chaos.plant import Plant, Run
from tests.chaos.scripts import Numbered
from tests.chaos.truth import broken_numbers, check, complain, nothing_left, wrong_text
from worker.gauges import GAUGE_SECONDS

MEMORY_ROOM_MB = 60.0


async def test_a_gateway_that_is_killed_again_and_again_loses_no_line(
    plant: Plant, dice: random.Random
) -> None:
    run = await plant.begin(Numbered(lines=1000, pause=0.002, code=3))
    for _ in rounds(3, 20):
        await asyncio.sleep(dice.uniform(0.2, 1.2))
        plant.gateway.kill()
        await plant.gateway.start()
    await check(plant, run)
    await nothing_left(plant)


async def test_runs_need_no_gateway_and_their_lines_come_later(plant: Plant) -> None:
    plant.gateway.kill()
    runs = [await plant.begin(Numbered(lines=50, pause=0.01)) for _ in range(3)]
    for run in runs:
        await plant.result(run)
    assert await gauge(plant, "cronium_relay_connected") == 0
    assert 0 < await gauge(plant, "cronium_log_lag_seconds") < 60
    # The lines must outlive the worker too, since nobody has them yet.
    plant.worker.kill()
    await plant.worker.start()
    await plant.gateway.start()
    for run in runs:
        await check(plant, run)
    await nothing_left(plant)


async def gauge(plant: Plant, name: str) -> float:
    """A number of the worker's metrics, which are read once a second."""
    await asyncio.sleep(GAUGE_SECONDS + 0.5)
    lines = (await plant.asked("/metrics")).text.splitlines()
    (found,) = [line for line in lines if line.startswith(f"{name} ")]
    return float(found.split()[1])


async def test_a_silent_gateway_delays_lines_and_loses_none(plant: Plant) -> None:
    run = await plant.begin(Numbered(lines=100, pause=0.02))
    await plant.running(run)
    plant.to_gateway.swallow()
    await plant.result(run)
    # Above 40 s the pings go unanswered and the worker connects anew.
    await asyncio.sleep(length(2, 60))
    plant.to_gateway.heal()
    await check(plant, run)
    await nothing_left(plant)


async def test_a_connection_cut_without_a_word_is_made_again(
    plant: Plant, dice: random.Random
) -> None:
    run = await plant.begin(Numbered(lines=1500, pause=0.002))
    for _ in rounds(5, 40):
        await asyncio.sleep(dice.uniform(0.05, 0.6))
        plant.to_gateway.cut()
        await asyncio.sleep(dice.uniform(0, 0.3))
        plant.to_gateway.heal()
    await check(plant, run)
    await nothing_left(plant)


async def test_worker_and_gateway_killed_together_lose_nothing(plant: Plant) -> None:
    run = await plant.begin(Numbered(lines=150, pause=0.03, code=9))
    await plant.running(run)
    plant.gateway.kill()
    plant.worker.kill()
    await asyncio.gather(plant.gateway.start(), plant.worker.start())
    await check(plant, run)
    await nothing_left(plant)


@pytest.mark.timeout(900)
async def test_a_viewer_that_is_cut_off_every_two_seconds_rebuilds_the_log(
    plant: Plant,
) -> None:
    seconds = length(8, 180)
    script = Numbered(lines=int(seconds * 200), pause=0.005)
    await plant.caller.run(_warm_up())
    before = plant.worker.resources(), plant.gateway.resources()
    run = await plant.begin(script)
    viewer = Viewer(plant, run)
    watching = asyncio.ensure_future(viewer.watch())
    while not watching.done():
        await asyncio.wait([watching], timeout=2)
        plant.to_gateway.drop()
    after = plant.worker.resources(), plant.gateway.resources()
    assert viewer.connections >= 3
    await complain(
        plant,
        run.execution,
        broken_numbers(viewer.lines) + wrong_text(viewer.lines, script),
    )
    stored = await plant.caller.logs(run.execution, 60)
    assert [line["seq"] for line in stored] == [line["seq"] for line in viewer.lines]
    assert stored == viewer.lines
    for name, early, late in zip(("worker", "gateway"), before, after, strict=True):
        assert late.memory < early.memory + MEMORY_ROOM_MB, (name, early, late)
    await check(plant, run)


def _warm_up() -> dict[str, Any]:
    from tests.caller import event

    return event("seq 1 2000")


class Viewer:
    """A browser that loses its connection and asks for the rest, until the end."""

    def __init__(self, plant: Plant, run: Run) -> None:
        self._plant = plant
        self._run = run
        self.lines: list[dict[str, Any]] = []
        self.connections = 0

    async def watch(self) -> None:
        """Return when the log is complete."""
        while not await self._once():  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    async def _once(self) -> bool:
        upcoming = self.lines[-1]["seq"] + 1 if self.lines else 1
        url = (
            f"ws://127.0.0.1:{self._plant.to_gateway.port}/executions/"
            f"{self._run.execution}/logs?fromSeq={upcoming}"
        )
        with contextlib.suppress(WebSocketException, OSError):
            async with connect(
                url,
                additional_headers=self._plant.caller.bearer,
                max_size=None,
                compression=None,
                proxy=None,
            ) as socket:
                self.connections += 1
                async for text in socket:
                    message = json.loads(text)
                    if message["type"] == "lines":
                        self.lines += message["lines"]
                    elif message["type"] == "end":
                        return True
        return False
