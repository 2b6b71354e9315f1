"""The compose file's `dev` profile: all of it in containers, from images made here."""

import asyncio
import os
import secrets
import shlex
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import docker
import pytest
from temporalio.client import WorkflowHandle

from contracts import names
from contracts.results import ExecutionResult
from tests.caller import Caller, event
from tests.chaos.wire import until
from tests.conftest import RUN
from tests.deploy.compose import (
    DEV,
    ROOT,
    Project,
    as_json,
    build_images,
    lines_of,
    tagged,
)

pytestmark = pytest.mark.timeout(900)

# Counts until it is told to end; while no gateway answers it counts on.
COUNTING = """
i=0
until [[ "$(cronium_get_variable KEY 2> /dev/null)" == *yes* ]]; do
    i=$((i + 1)); echo "line $i"; sleep 0.2
done
echo "end $i"
"""


@pytest.fixture(scope="module")
async def dev(
    docker_client: docker.APIClient, tmp_path_factory: Any
) -> AsyncIterator[Project]:
    await asyncio.to_thread(build_images)
    directory: Path = tmp_path_factory.mktemp("dev")
    (directory / "secrets" / "events").mkdir(parents=True)
    (directory / "secrets" / "events" / "TOKEN").write_text("a value from a file")
    project = Project("dev", directory, f"crn{RUN}")
    try:
        await project.up()
        yield project
    finally:
        await asyncio.to_thread(project.remove)


class Counter:
    """A script under way that ends when it is told to."""

    def __init__(self, project: Project, caller: Caller) -> None:
        self.project, self.caller = project, caller
        self.key = "GO" + secrets.token_hex(4)
        self.handle: WorkflowHandle[Any, ExecutionResult]

    async def begin(self) -> None:
        script = COUNTING.replace("KEY", self.key)
        self.handle = await self.caller.start(event(script, timeoutSeconds=600))
        await until(self.runs, 60, "the script runs")

    def runs(self) -> bool:
        return any(
            found["State"] == "running" and "warm" not in found["Names"][0]
            for found in self.project.sandboxes()
        )

    async def end(self) -> ExecutionResult:
        """Tell it to end; check that no line is missing, doubled or out of order."""
        told = await asyncio.to_thread(
            self.project.cronium, "var", "set", self.key, "yes"
        )
        assert told.returncode == 0, told.stderr
        async with asyncio.timeout(120):
            result = await self.handle.result()
        execution = names.execution_of(self.handle.id) or ""
        *counted, last = lines_of(await self.caller.logs(execution, timeout=60))
        assert counted == [f"line {n}" for n in range(1, len(counted) + 1)]
        assert last == f"end {len(counted)}"
        assert result.status == "SUCCESS", result
        return result


async def test_an_event_runs_from_outside_of_the_containers(
    dev: Project, tmp_path: Path
) -> None:
    file = tmp_path / "hello.yaml"
    file.write_text(
        "id: hello\nname: hello\ntype: bash\nnetwork: egress\n"
        "env:\n  TOKEN: {secret: TOKEN}\n"
        'script: |\n  echo "uid $(id -u)"; echo "${#TOKEN} of $TOKEN"\n'
        "  ls /sys/class/net | tr '\\n' ' '\n"
    )

    done = await asyncio.to_thread(dev.cronium, "run", str(file), "--json")

    assert done.returncode == 0, done.stderr + dev.logs("worker")
    result = as_json(done.stdout)
    rows = await (await dev.caller()).logs(result["executionId"])
    assert lines_of(rows) == ["uid 1000", "19 of ***", "eth0 lo "]


async def test_an_event_runs_from_inside_as_the_page_says(dev: Project) -> None:
    page = (ROOT / "docs" / "deployment.md").read_text()
    line = next(line for line in page.splitlines() if "worker cronium run" in line)
    words = shlex.split(line)

    done = await asyncio.to_thread(dev.call, *words[words.index("exec") :])

    assert "hello from cronium" in done.stdout


async def test_the_key_of_the_tokens_is_replaced_while_all_runs(dev: Project) -> None:
    before = dev.secret.read_text()

    dev.execute("gateway", "cronium", "token", "rotate")
    dev.secret.unlink()
    after = dev.secret.read_text()
    done = await asyncio.to_thread(dev.cronium, "run", "-c", "echo on", "--json")

    assert after.splitlines()[0] != before.splitlines()[0]
    assert done.returncode == 0, done.stderr
    rows = await (await dev.caller()).logs(as_json(done.stdout)["executionId"])
    assert lines_of(rows) == ["on"]


@pytest.mark.parametrize("part", DEV)
async def test_nothing_is_lost_when_a_container_is_started_again(
    dev: Project, part: str
) -> None:
    counter = Counter(dev, await dev.caller())
    await counter.begin()
    before = dev.inspect(part)["State"]["StartedAt"]

    await asyncio.to_thread(dev.call, "restart", part)
    await dev.healthy()

    assert dev.inspect(part)["State"]["StartedAt"] != before
    result = await counter.end()
    assert result.attempts == 1


@pytest.mark.parametrize("part", ["worker", "guard"])
async def test_nothing_is_lost_when_a_container_is_killed(
    dev: Project, docker_client: docker.APIClient, part: str
) -> None:
    counter = Counter(dev, await dev.caller())
    await counter.begin()

    # As a crash, and not as somebody's wish: it is started again by its policy.
    pid = dev.inspect(part)["State"]["Pid"]
    os.kill(pid, signal.SIGKILL)
    await until(
        lambda: dev.inspect(part)["State"].get("Pid") not in (0, pid, None),
        60,
        f"{part} is started again",
    )
    await dev.healthy()

    assert (await counter.end()).attempts == 1


async def test_a_change_of_version_and_the_way_back_lose_nothing(dev: Project) -> None:
    host = dev.execute("worker", "cat", "/var/lib/cronium/host-id").strip()
    counter = Counter(dev, await dev.caller())
    await counter.begin()

    with tagged(f"next-{RUN}") as version:
        await dev.up(version=version)
        for part in DEV:
            assert dev.inspect(part)["Config"]["Image"].endswith(version), part
        assert dev.execute("worker", "cat", "/var/lib/cronium/host-id").strip() == host
        await dev.up()

    result = await counter.end()
    assert [target.host for target in result.targets] == [host]
    assert result.attempts == 1


async def ran_outside(dev: Project, tmp_path: Path, script: str) -> str:
    file = tmp_path / "script.sh"
    file.write_text(script)
    done = await asyncio.to_thread(dev.cronium, "run", str(file), "--json")
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_what_was_saved_is_there_again_after_a_loss(
    dev: Project, tmp_path: Path
) -> None:
    ran = as_json(await ran_outside(dev, tmp_path, "echo kept"))
    copy = str(dev.directory / "backup")
    host = dev.execute("worker", "cat", "/var/lib/cronium/host-id")
    refused = await asyncio.to_thread(dev.script, "volumes.sh", "save", dev.name, copy)
    assert (refused.returncode, "stop them first" in refused.stderr) == (1, True)

    await asyncio.to_thread(dev.call, "stop")
    saved = await asyncio.to_thread(dev.script, "volumes.sh", "save", dev.name, copy)
    assert saved.returncode == 0, saved.stderr
    await asyncio.to_thread(dev.call, "down", "-v")
    restored = await asyncio.to_thread(
        dev.script, "volumes.sh", "restore", dev.name, copy
    )
    assert restored.returncode == 0, restored.stderr
    await dev.up()

    assert dev.execute("worker", "cat", "/var/lib/cronium/host-id") == host
    rows = await (await dev.caller()).logs(ran["executionId"])
    assert lines_of(rows) == ["kept"]
    status = await asyncio.to_thread(
        dev.cronium, "status", ran["executionId"], "--json"
    )
    assert as_json(status.stdout)["status"] == "SUCCESS", status.stderr
    assert as_json(await ran_outside(dev, tmp_path, "echo on"))["status"] == "SUCCESS"


async def test_no_process_has_more_rights_than_it_needs(dev: Project) -> None:
    host = {part: dev.inspect(part) for part in DEV}

    assert {found["HostConfig"]["Privileged"] for found in host.values()} == {False}
    assert {found["HostConfig"]["ReadonlyRootfs"] for found in host.values()} == {True}
    for part in DEV:
        config = host[part]["HostConfig"]
        assert config["CapDrop"] == ["ALL"], part
        assert config["SecurityOpt"] == ["no-new-privileges:true"], part
        assert config["Memory"] > 0, part
        assert config["NanoCpus"] > 0, part
        assert config["PidsLimit"] > 0, part
    sockets = [
        part
        for part in DEV
        if any(
            mount["Source"].endswith("docker.sock") for mount in host[part]["Mounts"]
        )
    ]
    assert sockets == ["guard"]
    assert host["guard"]["HostConfig"]["NetworkMode"] == "none"
    assert {host[part]["Config"]["User"] for part in ("gateway", "temporal")} == {
        "10001:10001"
    }


async def test_the_worker_keeps_no_right_but_that_to_change_network_rules(
    dev: Project,
) -> None:
    text = dev.execute(
        "worker", "sh", "-c", "for f in /proc/[0-9]*/status; do cat $f; echo; done"
    )
    blocks = [block for block in text.split("\n\n") if "cronium" in block]
    facts = [
        dict(line.split(":\t", 1) for line in block.splitlines() if ":\t" in line)
        for block in blocks
    ]

    assert facts
    for fact in facts:
        assert fact["Uid"].split() == ["10001"] * 4
        # NET_ADMIN and NET_RAW.
        assert int(fact["CapBnd"], 16) == int(fact["CapEff"], 16) == 0x3000
        assert fact["NoNewPrivs"] == "1"


async def test_a_worker_that_is_stopped_hands_over_and_ends_in_order(
    dev: Project,
) -> None:
    await asyncio.to_thread(dev.call, "stop", "worker")

    assert dev.inspect("worker")["State"]["ExitCode"] == 0
    assert "draining" in dev.logs("worker")
    await asyncio.to_thread(dev.call, "start", "worker")
    await dev.healthy()


async def test_all_is_gone_after_down(dev: Project) -> None:
    await asyncio.to_thread(dev.call, "down", "-v")
    assert [found["Names"] for found in dev.sandboxes()] == []
    client = docker.APIClient(base_url="unix:///var/run/docker.sock", version="auto")
    try:
        labels = {"label": f"io.cronium.instance={dev.instance}"}
        assert client.networks(filters=labels) == []
        project = {"label": f"com.docker.compose.project={dev.name}"}
        assert client.volumes(filters=project)["Volumes"] in ([], None)
    finally:
        client.close()
