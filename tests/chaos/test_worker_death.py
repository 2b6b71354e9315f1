"""kill -9 of the worker at any moment: each script runs once, its log is whole."""

import asyncio
import json
import random
from pathlib import Path

import pytest

from tests.caller import event
from tests.chaos.conftest import rounds
from tests.chaos.plant import Plant
from tests.chaos.scripts import Numbered
from tests.chaos.truth import check, nothing_left


async def test_a_run_outlives_the_death_of_its_worker(plant: Plant) -> None:
    run = await plant.begin(Numbered(lines=80, pause=0.05, code=7))
    await plant.running(run, lines=10)
    plant.worker.kill()
    await plant.worker.start()
    result = await check(plant, run)
    assert result.attempts == 1, "a death of ours is no try of the user's"
    await nothing_left(plant)


async def test_a_script_that_ended_while_no_worker_lived_is_not_run_again(
    plant: Plant,
) -> None:
    run = await plant.begin(Numbered(lines=20, pause=0.02, code=3))
    await plant.running(run, lines=2)
    plant.worker.kill()
    await plant.watch.saw("die", run.execution)
    await plant.worker.start()
    await check(plant, run)
    await nothing_left(plant)


@pytest.mark.parametrize("round_number", rounds(1, 20))
async def test_deaths_at_random_moments_cost_no_line_and_no_run(
    round_number: int, plant: Plant, dice: random.Random
) -> None:
    runs = [
        await plant.begin(
            Numbered(lines=dice.randint(1, 120), pause=0.04, code=dice.randint(0, 9))
        )
        for _ in range(6)
    ]
    for _ in range(3):
        await asyncio.sleep(dice.uniform(0.1, 3))
        plant.worker.kill()
        await plant.worker.start(wait=False)
    await plant.worker.ready()
    for run in runs:
        await check(plant, run)
    await nothing_left(plant)


async def test_a_secret_stays_masked_when_another_worker_reads_on(
    tmp_path: Path,
) -> None:
    # The death falls into the middle of the secret: one half of it is in the log that
    # the next worker reads from its first byte.
    secret = "s3cr3t-" + "abcdefghij" * 6
    script = (
        'echo begin; printf "%s" "${TOKEN:0:30}"; sleep 4; '
        'echo "${TOKEN:30}"; echo "$TOKEN" | base64 -w0; echo; echo end'
    )
    plant = Plant(tmp_path / "plant", wired=False, SECRETS_DIRECTORY=tmp_path / "keys")
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "TOKEN").write_text(secret)
    try:
        await plant.start()
        body = event(script, env=[{"name": "TOKEN", "secret": "TOKEN"}])
        handle = await plant.caller.start(body)
        execution = handle.id.rpartition(":")[2]
        await plant.watch.saw("start", execution)
        await asyncio.sleep(1)
        plant.worker.kill()
        await plant.worker.start()
        result = await handle.result()
        assert result.exit_code == 0, result
        log = await plant.caller.logs(execution)
        text = [line["text"] for line in log if line["stream"] == "stdout"]
        assert (text[0], text[-1], len(text)) == ("begin", "end", 4)
        whole = json.dumps(log) + result.model_dump_json()
        for start in range(len(secret) - 12):
            assert secret[start : start + 12] not in whole
    finally:
        await plant.stop()
