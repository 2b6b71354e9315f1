"""What nobody claims any more is removed; what is not ours stays."""

import asyncio
import secrets

import docker
import pytest

from contracts import names
from tests.chaos.conftest import length
from tests.chaos.plant import JANITOR_INTERVAL, Plant
from tests.chaos.scripts import Numbered
from tests.chaos.truth import check, leftovers, nothing_left


def leave(
    client: docker.APIClient, key: str, labels: dict[str, str], *, start: bool
) -> str:
    """Make a container as a crash of ours would leave it."""
    made = client.create_container(
        names.RUNNER_IMAGE,
        ["sleep", "600"],
        name=f"cronium-{key}",
        labels=labels,
        host_config=client.create_host_config(network_mode="none"),
    )
    if start:
        client.start(made)
    return str(made["Id"])


@pytest.mark.timeout(300)
async def test_leftovers_of_ours_are_gone_in_one_period_and_foreign_ones_stay(
    plant: Plant, docker_client: docker.APIClient
) -> None:
    host = (plant.state / "host-id").read_text().strip()
    plant.worker.kill()
    ours = {names.LABEL_INSTANCE: plant.instance, names.LABEL_HOST: host}
    foreign: list[str] = []
    keys = [secrets.token_hex(16) for _ in range(int(length(12, 50)))]
    kept = plant.directory / "kept"
    kept.mkdir(exist_ok=True)

    def leave_all() -> None:
        for number, key in enumerate(keys):
            labels = {**ours, names.LABEL_RUN_KEY: key}
            leave(docker_client, key, labels, start=number % 3 == 0)
            directory = plant.state / "run" / key
            directory.mkdir(parents=True)
            (directory / "script.sh").write_text("true")
            # A link out of the directory: what it leads to is not ours to remove.
            (directory / "out").symlink_to(kept)
        (kept / "file").write_text("stays")
        for labels in (
            {},
            {**ours, names.LABEL_INSTANCE: "another"},
            {**ours, names.LABEL_HOST: "another"},
        ):
            key = secrets.token_hex(16)
            labels = {**labels, names.LABEL_RUN_KEY: key}
            foreign.append(leave(docker_client, key, labels, start=True))

    try:
        await asyncio.to_thread(leave_all)
        await plant.worker.start()
        begun = asyncio.get_running_loop().time()
        await gone(plant, keys, 10 * JANITOR_INTERVAL)
        took = asyncio.get_running_loop().time() - begun
        assert took < 5 * JANITOR_INTERVAL + len(keys) * 0.5, took
        still = {c["Id"] for c in docker_client.containers(all=True)}
        assert set(foreign) <= still
        assert (kept / "file").read_text() == "stays"
    finally:
        for container in foreign:
            docker_client.remove_container(container, force=True)


async def test_the_janitor_leaves_a_running_script_alone(plant: Plant) -> None:
    # Many periods of the janitor, a restart among them, pass over one script.
    run = await plant.begin(Numbered(lines=int(length(80, 600)), pause=0.1))
    await plant.running(run)
    plant.worker.kill()
    await plant.worker.start()
    await check(plant, run, seconds=120)
    await nothing_left(plant)


async def test_what_a_killed_worker_was_writing_is_gone_with_the_next(
    plant: Plant,
) -> None:
    run = await plant.begin(Numbered(lines=5, pause=0.02))
    await check(plant, run)
    plant.worker.kill()
    # A file is written under another name first; death can come before it has its own.
    drafts = [
        plant.state / "runs" / "k.new",
        plant.state / "server-runs" / "k.new",
        plant.state / "channels" / ".k.json.abc.new",
        plant.state / "spool" / "k.ack.new",
    ]
    for draft in drafts:
        assert draft.parent.is_dir(), f"this shows nothing: there is no {draft.parent}"
        draft.write_text("{")
    await plant.worker.start()
    assert [draft for draft in drafts if draft.exists()] == []


async def gone(plant: Plant, keys: list[str], seconds: float) -> None:
    async with asyncio.timeout(seconds + len(keys)):
        while True:
            found = await asyncio.to_thread(leftovers, plant)
            names_left = {n.removeprefix("/cronium-") for n in found["containers"]}
            if not (names_left | set(found["run directories"])) & set(keys):
                return
            await asyncio.sleep(0.1)
