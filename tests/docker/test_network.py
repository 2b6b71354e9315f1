"""The egress network on a real daemon: its addresses, its rules, its end."""

import asyncio
import contextlib
import dataclasses
import ipaddress
import secrets
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.types import IPAMConfig, IPAMPool

from contracts import names
from contracts.errors import EgressUnavailable
from contracts.events import Network
from contracts.logs import Stream
from engines.docker import DockerConfig, DockerEngine, network, ownership
from engines.docker.subnets import docker_subnets, free_subnet, routed
from tests.conftest import new_instance
from tests.docker.conftest import spec_of
from tests.remains import change_rules, remove_remains, rules_of

# Apart from the default pool, so that a worker of the same machine takes none of it.
GROUND = IPv4Network("10.214.0.0/16")

# A worker's process as far as networks go: it makes one, and lives until it is killed.
LIVING = """
import asyncio, sys
from pathlib import Path
from engines.docker import DockerConfig, DockerEngine

async def main():
    state, instance, pool = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    engine = DockerEngine(DockerConfig(
        run_directory=state / "run", instance=instance, egress_pool=[pool],
        owner_file=state / "egress.lock",
    ))
    await engine.network.ensure()
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def free_range(client: docker.APIClient, prefix: int) -> str:
    """An address range that nobody uses, for one test."""
    taken = [*docker_subnets(client.networks()), *routed()]
    start = secrets.randbelow(1 << (prefix - GROUND.prefixlen))
    found = free_subnet([GROUND], prefix, taken, start)
    assert found is not None
    return str(found)


def change_routes(*arguments: str) -> None:
    subprocess.run(["ip", "route", *arguments], check=True)


@pytest.fixture
def pool(docker_client: docker.APIClient) -> str:
    """Room for exactly two networks."""
    return free_range(docker_client, 25)


@pytest.fixture
async def make_engine(
    tmp_path: Path, pool: str
) -> AsyncIterator[Callable[..., DockerEngine]]:
    made: list[DockerEngine] = []

    def make(**changes: Any) -> DockerEngine:
        config = DockerConfig(
            run_directory=tmp_path / "run",
            instance=new_instance(),
            egress_pool=[pool],
            owner_file=tmp_path / "state" / "egress.lock",
        )
        made.append(DockerEngine(dataclasses.replace(config, **changes)))
        return made[-1]

    yield make
    for engine in made:
        await engine.network.remove()
        engine.close()


@pytest.fixture
def occupy(docker_client: docker.APIClient) -> Iterator[Callable[..., str]]:
    """Makes networks that are not ours."""
    made: list[str] = []

    def take(subnet: str, **labels: str) -> str:
        name = "foreign-" + secrets.token_hex(4)
        ipam = IPAMConfig(pool_configs=[IPAMPool(subnet=subnet)])
        docker_client.create_network(name, ipam=ipam, labels=labels)
        made.append(name)
        return name

    yield take
    for name in made:
        docker_client.remove_network(name)


def subnet_of(client: docker.APIClient, name: str) -> str:
    return str(client.inspect_network(name)["IPAM"]["Config"][0]["Subnet"])


def exists(client: docker.APIClient, name: str) -> bool:
    return name in {entry["Name"] for entry in client.networks()}


def halves(pool: str) -> list[str]:
    return [str(part) for part in IPv4Network(pool).subnets(new_prefix=26)]


async def test_the_network_has_a_small_subnet_of_the_pool_and_rules(
    docker_client: docker.APIClient,
    make_engine: Callable[..., DockerEngine],
    pool: str,
) -> None:
    ours = make_engine(blocked_networks=["169.254.0.0/16", "192.0.0.192/32"]).network
    await ours.ensure()
    assert subnet_of(docker_client, ours.name) in halves(pool)
    assert len(rules_of(ours.bridge)) == 3
    # Once more as another process would: nothing is made twice.
    ours.forget()
    await ours.ensure()
    assert len(rules_of(ours.bridge)) == 3
    await ours.remove()
    assert not exists(docker_client, ours.name)
    assert rules_of(ours.bridge) == []


async def test_room_for_more_slots_takes_a_larger_subnet(
    docker_client: docker.APIClient, make_engine: Callable[..., DockerEngine]
) -> None:
    wide = free_range(docker_client, 22)
    ours = make_engine(slots=200, egress_pool=[wide]).network
    await ours.ensure()
    assert ipaddress.ip_network(subnet_of(docker_client, ours.name)).prefixlen == 23


async def test_a_subnet_of_another_network_is_left_out_and_a_full_pool_is_said(
    docker_client: docker.APIClient,
    make_engine: Callable[..., DockerEngine],
    occupy: Callable[..., str],
    pool: str,
) -> None:
    first, second = halves(pool)
    occupy(str(IPv4Network(first).network_address + 32) + "/27")
    ours, late = make_engine().network, make_engine().network
    await ours.ensure()
    assert subnet_of(docker_client, ours.name) == second
    with pytest.raises(EgressUnavailable, match=f"no /26 .* {pool}") as caught:
        await late.ensure()
    assert "CRONIUM_DOCKER_EGRESS_POOL" in caught.value.user_hint
    assert not exists(docker_client, late.name)
    await late.retire()
    assert rules_of(late.bridge) == []


async def test_a_route_of_any_table_is_left_out(
    docker_client: docker.APIClient,
    make_engine: Callable[..., DockerEngine],
    pool: str,
) -> None:
    first, second = halves(pool)
    for routed_away, free in ((first, second), (second, first)):
        route = ["blackhole", routed_away, "table", "8213"]
        change_routes("add", *route)
        try:
            ours = make_engine().network
            await ours.ensure()
            assert subnet_of(docker_client, ours.name) == free
            await ours.remove()
        finally:
            change_routes("del", *route)


async def test_a_subnet_that_somebody_takes_first_is_given_up(
    docker_client: docker.APIClient,
    make_engine: Callable[..., DockerEngine],
    occupy: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    pool: str,
) -> None:
    ours = make_engine().network
    taken: list[str] = []

    def look_late() -> list[IPv4Network]:
        # Docker was asked already: what is taken now is a surprise.
        seen = routed()
        if not taken:
            subnet = free_subnet([IPv4Network(pool)], 26, [], ours._start)
            taken.append(str(subnet))
            occupy(str(subnet))
        return seen

    monkeypatch.setattr(network, "routed", look_late)
    await ours.ensure()
    assert {*taken, subnet_of(docker_client, ours.name)} == set(halves(pool))


async def test_many_workers_at_once_get_a_network_each(
    docker_client: docker.APIClient, make_engine: Callable[..., DockerEngine]
) -> None:
    wide = free_range(docker_client, 24)
    nets = [make_engine(egress_pool=[wide]).network for _ in range(4)]
    await asyncio.gather(*(one.ensure() for one in nets))
    assert len({subnet_of(docker_client, one.name) for one in nets}) == 4


async def test_a_network_of_that_name_that_is_not_ours_is_refused(
    docker_client: docker.APIClient, make_engine: Callable[..., DockerEngine]
) -> None:
    ours = make_engine().network
    docker_client.create_network(
        ours.name,
        ipam=IPAMConfig(
            pool_configs=[IPAMPool(subnet=free_range(docker_client, 26))],
        ),
    )
    with pytest.raises(EgressUnavailable, match="not this instance's"):
        await ours.ensure()
    await ours.retire()
    assert exists(docker_client, ours.name)


async def test_a_network_that_is_pruned_before_the_start_is_made_again(
    docker_client: docker.APIClient, make_engine: Callable[..., DockerEngine]
) -> None:
    engine = make_engine()
    sandbox = await engine.create(spec_of("echo here", network=Network.EGRESS))
    output: dict[Stream, list[bytes]] = {stream: [] for stream in Stream}
    try:
        await sandbox.attach(lambda stream, data: output[stream].append(data))
        docker_client.remove_network(engine.network.name)
        change_rules("-D", *rules_of(engine.network.bridge)[0].split()[1:])
        await sandbox.start()
        end = await asyncio.wait_for(asyncio.shield(sandbox.exited), 60)
        assert await sandbox.drain()
    finally:
        await engine.remove(sandbox)
    assert (end.code, b"".join(output[Stream.STDOUT])) == (0, b"here\n")
    assert exists(docker_client, engine.network.name)
    # One blocked range, and the host itself.
    assert len(rules_of(engine.network.bridge)) == 2


async def test_a_pruned_network_that_cannot_be_made_again_is_told_as_such(
    docker_client: docker.APIClient,
    make_engine: Callable[..., DockerEngine],
    occupy: Callable[..., str],
    pool: str,
) -> None:
    engine = make_engine()
    sandbox = await engine.create(spec_of("true", network=Network.EGRESS))
    try:
        await sandbox.attach(lambda stream, data: None)
        docker_client.remove_network(engine.network.name)
        occupy(pool)
        with pytest.raises(EgressUnavailable, match="no /26"):
            await sandbox.start()
    finally:
        await engine.remove(sandbox)


async def test_a_container_keeps_the_network_and_the_last_worker_takes_it_along(
    docker_client: docker.APIClient, make_engine: Callable[..., DockerEngine]
) -> None:
    engine = make_engine()
    sandbox = await engine.create(spec_of("true", network=Network.EGRESS))
    ours = engine.network
    await ours.retire()
    # Made and not yet started: Docker itself would let the network go.
    assert exists(docker_client, ours.name)
    assert rules_of(ours.bridge)
    await engine.remove(sandbox)
    await ours.ensure()
    # A second process of the same worker, as `cronium doctor` is one.
    doctor = make_engine(instance=engine.config.instance)
    await doctor.network.ensure()
    await doctor.network.retire()
    assert exists(docker_client, ours.name)
    await ours.retire()
    assert not exists(docker_client, ours.name)
    assert rules_of(ours.bridge) == []
    await ours.ensure()
    assert exists(docker_client, ours.name)


@dataclasses.dataclass
class Living:
    """Another worker's process with a network."""

    process: asyncio.subprocess.Process
    state: Path
    name: str
    bridge: str

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()


@contextlib.asynccontextmanager
async def living(state: Path, pool: str) -> AsyncIterator[Living]:
    instance = new_instance()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", LIVING, str(state), instance, pool),
        stdout=asyncio.subprocess.PIPE,
    )
    config = DockerConfig(run_directory=state, instance=instance)
    engine = DockerEngine(config)
    try:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 60) == b"ready\n"
        yield Living(process, state, engine.network.name, engine.network.bridge)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await engine.network.remove()
        engine.close()


@pytest.mark.parametrize("state_stays", [True, False], ids=["state stays", "no state"])
async def test_the_network_of_a_killed_worker_is_swept_and_of_a_living_one_not(
    docker_client: docker.APIClient,
    make_engine: Callable[..., DockerEngine],
    tmp_path: Path,
    state_stays: bool,
) -> None:
    sweeper = make_engine().network
    wide = free_range(docker_client, 25)
    async with living(tmp_path / "other", wide) as other:
        assert other.name not in await sweeper.sweep()
        assert exists(docker_client, other.name)
        assert len(rules_of(other.bridge)) == 2
        await other.kill()
        if not state_stays:
            shutil.rmtree(other.state)
        assert other.name in await sweeper.sweep()
        assert not exists(docker_client, other.name)
        assert rules_of(other.bridge) == []


async def test_a_dead_worker_s_network_with_a_container_stays(
    docker_client: docker.APIClient,
    make_engine: Callable[..., DockerEngine],
    tmp_path: Path,
) -> None:
    sweeper = make_engine().network
    wide = free_range(docker_client, 25)
    async with living(tmp_path / "other", wide) as other:
        await other.kill()
        made = docker_client.create_container(
            names.RUNNER_IMAGE,
            ["true"],
            host_config=docker_client.create_host_config(network_mode=other.name),
        )
        try:
            assert other.name not in await sweeper.sweep()
            assert exists(docker_client, other.name)
        finally:
            docker_client.remove_container(made, force=True)
        assert other.name in await sweeper.sweep()


async def test_what_proves_nothing_and_what_is_foreign_stays(
    docker_client: docker.APIClient,
    make_engine: Callable[..., DockerEngine],
    occupy: Callable[..., str],
    tmp_path: Path,
) -> None:
    sweeper = make_engine().network
    gone = str(tmp_path / "gone" / "egress.lock")
    (tmp_path / "emptied").mkdir()
    role = {names.LABEL_ROLE: "network"}
    view = {names.LABEL_VIEW: ownership.view()}

    def ours(**labels: str) -> str:
        name = f"cronium-egress-{secrets.token_hex(4)}"
        ipam = IPAMConfig(pool_configs=[IPAMPool(subnet=free_range(docker_client, 26))])
        docker_client.create_network(
            name,
            ipam=ipam,
            labels={**role, **labels},
            options={"com.docker.network.bridge.name": f"crn-{name[-8:]}"},
        )
        return name

    dead = ours(**view, **{names.LABEL_OWNER: gone})
    kept = [
        ours(),
        ours(**{names.LABEL_OWNER: gone}),
        ours(**{names.LABEL_OWNER: gone, names.LABEL_VIEW: "x"}),
        ours(
            **view,
            **{names.LABEL_OWNER: str(tmp_path / "emptied" / "egress.lock")},
        ),
    ]
    # It has all of our labels, and is called otherwise.
    subnet = free_range(docker_client, 26)
    foreign = occupy(subnet, **role, **view, **{names.LABEL_OWNER: gone})
    try:
        removed = await sweeper.sweep()
        assert dead in removed
        assert not exists(docker_client, dead)
        assert not {*kept, foreign} & set(removed)
        assert all(exists(docker_client, name) for name in (*kept, foreign))
    finally:
        for name in (dead, *kept):
            if exists(docker_client, name):
                docker_client.remove_network(name)


async def test_rules_without_a_bridge_are_swept_and_an_operator_s_own_stay(
    docker_client: docker.APIClient,
    make_engine: Callable[..., DockerEngine],
) -> None:
    pruned, living_one = make_engine().network, make_engine().network
    await pruned.ensure()
    await living_one.ensure()
    own = ["INPUT", "-i", pruned.bridge, "-p", "tcp", "-j", "ACCEPT"]
    change_rules("-A", *own)
    try:
        docker_client.remove_network(pruned.name)
        await living_one.sweep()
        assert len(rules_of(pruned.bridge)) == 1
        assert len(rules_of(living_one.bridge)) == 2
    finally:
        change_rules("-D", *own)


async def test_a_worker_that_starts_waits_for_a_sweep_of_its_network(
    docker_client: docker.APIClient,
    make_engine: Callable[..., DockerEngine],
) -> None:
    ours = make_engine().network
    await ours.ensure()
    labels = docker_client.inspect_network(ours.name)["Labels"]
    ours.close()
    with ownership.proven_dead(labels) as dead:
        assert dead
        coming = asyncio.ensure_future(ours.ensure())
        done, _ = await asyncio.wait([coming], timeout=0.2)
        assert not done
    await asyncio.wait_for(coming, 60)
    with ownership.proven_dead(labels) as dead:
        assert not dead


async def test_what_one_run_of_the_tests_leaves_is_removed_and_of_no_other(
    docker_client: docker.APIClient,
    make_engine: Callable[..., DockerEngine],
) -> None:
    prefix = new_instance("left")
    left, other = make_engine(instance=prefix + "-1"), make_engine()
    sandbox = await left.create(spec_of("true", network=Network.EGRESS))
    await other.network.ensure()
    removed = await asyncio.to_thread(remove_remains, prefix)
    assert removed == [f"/{sandbox.name}", left.network.name]
    assert not exists(docker_client, left.network.name)
    assert rules_of(left.network.bridge) == []
    assert exists(docker_client, other.network.name)
    assert rules_of(other.network.bridge)
