"""The network of scripts over the lives and deaths of workers."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import docker
import pytest

from contracts.names import LABEL_INSTANCE
from contracts.results import Status
from engines.docker import DockerConfig, DockerEngine
from tests.chaos.daemon import Daemon, remove_tree
from tests.chaos.plant import JANITOR_INTERVAL, Plant
from tests.chaos.scripts import Numbered
from tests.chaos.truth import check
from tests.conftest import new_instance
from tests.remains import rules_of

Bridges = Callable[[], Awaitable[list[str]]]


@pytest.fixture
def bridges(plant: Plant, docker_client: docker.APIClient) -> Bridges:
    """Tells which bridges of the plant's first instance there are."""
    ours = {"label": f"{LABEL_INSTANCE}={plant.instance}"}

    async def look() -> list[str]:
        found = await asyncio.to_thread(docker_client.networks, filters=ours)
        return [n["Options"]["com.docker.network.bridge.name"] for n in found]

    return look


async def all_gone(bridges: Bridges, bridge: str, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if not await bridges() and not rules_of(bridge):
                return
            await asyncio.sleep(0.1)


async def test_a_worker_takes_its_network_along_unless_a_script_runs_on_it(
    plant: Plant, bridges: Bridges
) -> None:
    run = await plant.begin(Numbered(lines=60, pause=0.1), network="egress")
    await plant.running(run)
    [bridge] = await bridges()
    assert rules_of(bridge)
    plant.worker.terminate()
    assert await plant.worker.ended() == 0
    # The script goes on, and needs it.
    assert await bridges() == [bridge]
    assert rules_of(bridge)
    await plant.worker.start()
    await check(plant, run)
    plant.worker.terminate()
    assert await plant.worker.ended() == 0
    assert await bridges() == []
    assert rules_of(bridge) == []
    # The next one makes it anew.
    await plant.worker.start()
    await check(plant, await plant.begin(Numbered(lines=3), network="egress"))
    assert await bridges() == [bridge]


async def test_a_standby_that_takes_over_has_the_network(
    plant: Plant, bridges: Bridges
) -> None:
    await check(plant, await plant.begin(Numbered(lines=3), network="egress"))
    [bridge] = await bridges()
    standby = plant.add_worker("standby", WORKER_STANDBY="true")
    await standby.start(wait=False)
    plant.worker.terminate()
    await standby.ready()
    await check(plant, await plant.begin(Numbered(lines=3), network="egress"))
    assert await bridges() == [bridge]
    assert rules_of(bridge)


async def test_the_network_of_a_killed_worker_is_swept_by_any_other_of_the_host(
    plant: Plant, bridges: Bridges
) -> None:
    await check(plant, await plant.begin(Numbered(lines=3), network="egress"))
    [bridge] = await bridges()
    other = plant.add_worker(
        "other", plant.directory / "neighbour", INSTANCE=plant.instance + "-n"
    )
    await other.start()
    # Some sweeps go by while its owner lives.
    await asyncio.sleep(2 * JANITOR_INTERVAL)
    assert await bridges() == [bridge]
    plant.worker.kill()
    await all_gone(bridges, bridge, 10 * JANITOR_INTERVAL)
    await other.stop()
    await plant.worker.start()
    await check(plant, await plant.begin(Numbered(lines=3), network="egress"))
    assert await bridges() == [bridge]


async def test_a_prune_under_a_worker_that_lives_costs_no_run(
    plant: Plant, bridges: Bridges, docker_client: docker.APIClient
) -> None:
    await check(plant, await plant.begin(Numbered(lines=3), network="egress"))
    [bridge] = await bridges()
    ours = {"label": [f"{LABEL_INSTANCE}={plant.instance}"]}
    pruned = await asyncio.to_thread(docker_client.prune_networks, ours)
    assert pruned["NetworksDeleted"]
    result = await check(plant, await plant.begin(Numbered(lines=3), network="egress"))
    assert result.status is Status.SUCCESS
    assert await bridges() == [bridge]
    assert rules_of(bridge)


@pytest.fixture
async def full_daemon(tmp_path: Path) -> AsyncIterator[str]:
    """Socket of a daemon whose own pools have room for one network, which is there."""
    state = Path(tempfile.mkdtemp(prefix="crn-f-"))
    pool = "base=10.98.0.0/24,size=24"
    daemon = Daemon(tmp_path, state, "--default-address-pool", pool)
    try:
        await daemon.containerd.start()
        await daemon.dockerd.start()
        yield str(daemon.socket)
    finally:
        await daemon.stop()
        remove_tree(state)


async def test_a_daemon_whose_own_address_pools_are_used_up_gives_us_a_network(
    full_daemon: str, tmp_path: Path
) -> None:
    client = docker.APIClient(base_url=f"unix://{full_daemon}", version="auto")
    # The daemon lives in another network namespace than our rules.
    config = DockerConfig(
        run_directory=tmp_path,
        socket=full_daemon,
        instance=new_instance(),
        egress="unfiltered",
    )
    engine = DockerEngine(config)
    try:
        await asyncio.to_thread(client.create_network, "last")
        with pytest.raises(docker.errors.NotFound, match="non-overlapping"):
            await asyncio.to_thread(client.create_network, "one more")
        await engine.network.ensure()
        found = await asyncio.to_thread(client.inspect_network, engine.network.name)
        assert found["IPAM"]["Config"][0]["Subnet"].endswith("/26")
        await engine.network.remove()
    finally:
        engine.close()
        client.close()
