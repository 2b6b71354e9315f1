"""The Docker engine against a real daemon: endings, stops, data, images, leftovers."""

import asyncio
import dataclasses
import json
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import docker
import pytest

from contracts import names
from contracts.errors import (
    CeilingExceeded,
    EngineNotHardened,
    EngineUnavailable,
    ImageMissing,
    ImagePullFailed,
    ScriptError,
)
from contracts.events import EventSpec, EventType, Network, Resources
from contracts.logs import Stream
from engines.docker import (
    DockerConfig,
    DockerEngine,
    Sandbox,
    SandboxExit,
    check_ceilings,
    verdict,
)
from engines.docker.janitor import Janitor
from engines.docker.proof import prove, require, trouble_of
from tests.docker.conftest import RunScript, spec_of


def event_with(**fields: Any) -> EventSpec:
    base = {"id": "e", "name": "e", "type": "bash", "script": "true"}
    return EventSpec.model_validate({**base, **fields})


async def started(engine: DockerEngine, script: str, **changes: Any) -> Sandbox:
    sandbox = await engine.create(spec_of(script, **changes))
    ready = asyncio.Event()
    await sandbox.attach(lambda stream, data: ready.set())
    await sandbox.start()
    await asyncio.wait_for(ready.wait(), 20)
    return sandbox


@pytest.mark.parametrize(
    ("kind", "script"),
    [
        (EventType.BASH, "echo out; echo err >&2; exit 7"),
        (
            EventType.PYTHON,
            "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)",
        ),
        (EventType.NODEJS, "console.log('out'); console.error('err'); process.exit(7)"),
    ],
)
async def test_each_language_keeps_streams_apart_and_its_exit_code(
    kind: EventType, script: str, run_script: RunScript
) -> None:
    ran = await run_script(script, event_type=kind)
    assert (ran.end.code, ran.stdout, ran.stderr) == (7, "out\n", "err\n")


async def test_a_first_line_arrives_before_the_script_ends(
    engine: DockerEngine,
) -> None:
    sandbox = await started(engine, "echo first; sleep 30", run_key="first-line")
    try:
        assert not sandbox.exited.done()
    finally:
        await sandbox.stop(0)
        await engine.remove(sandbox)


async def test_term_is_followed_by_kill_after_the_grace(
    engine: DockerEngine, docker_client: docker.APIClient
) -> None:
    sandbox = await started(
        engine, "trap '' TERM; setsid sleep 61 & echo up; while :; do sleep 1; done"
    )
    begin = time.monotonic()
    end = await sandbox.stop(1.0)
    took = time.monotonic() - begin
    await engine.remove(sandbox)
    assert end.code == 137
    assert 1.0 <= took < 20
    with pytest.raises(docker.errors.NotFound):
        docker_client.inspect_container(sandbox.name)


async def test_a_script_may_clean_up_on_term(engine: DockerEngine) -> None:
    seen: list[bytes] = []
    sandbox = await engine.create(
        spec_of("trap 'echo cleaned; exit 9' TERM; echo up; while :; do sleep .1; done")
    )
    up = asyncio.Event()

    def on_data(stream: Stream, data: bytes) -> None:
        seen.append(data)
        up.set()

    await sandbox.attach(on_data)
    await sandbox.start()
    await asyncio.wait_for(up.wait(), 20)
    end = await sandbox.stop(5.0)
    await sandbox.drain()
    await engine.remove(sandbox)
    assert end.code == 9
    assert b"cleaned" in b"".join(seen)


async def test_out_of_memory_is_said(run_script: RunScript) -> None:
    ran = await run_script(
        "x = bytearray(400 << 20)",
        event_type=EventType.PYTHON,
        resources=Resources(memory_mb=64),
    )
    error = verdict.judge(event_with(), ran.end, [])
    assert error.type == ScriptError.OUT_OF_MEMORY
    assert "512 MB" in error.message


@pytest.mark.parametrize(
    ("kind", "script", "expected"),
    [
        (
            EventType.PYTHON,
            "import subprocess\n[subprocess.Popen(['sleep', '5']) for _ in range(99)]",
            ScriptError.PROCESS_LIMIT,
        ),
        (
            EventType.BASH,
            "set -e; head -c 100M /dev/zero > /tmp/full",
            ScriptError.TMP_FULL,
        ),
        (
            EventType.PYTHON,
            "open('/tmp/full', 'wb').write(bytes(100 << 20))",
            ScriptError.TMP_FULL,
        ),
        (EventType.BASH, "kill -SEGV $$", ScriptError.SIGNAL),
        (EventType.BASH, "exit 3", ScriptError.EXIT_CODE),
    ],
)
async def test_endings_have_a_type_of_their_own(
    kind: EventType, script: str, expected: ScriptError, run_script: RunScript
) -> None:
    ran = await run_script(script, event_type=kind)
    error = verdict.judge(event_with(), ran.end, ran.stderr.splitlines()[-20:])
    assert error.type == expected
    assert error.hint


def test_an_unknown_signal_is_named_by_number() -> None:
    end = SandboxExit(200, False, None, None)
    assert "signal 72" in verdict.judge(event_with(), end, []).message


async def test_a_missing_interpreter_is_said_clearly(
    engine: DockerEngine, run_script: RunScript, docker_client: docker.APIClient
) -> None:
    # An image with a shell and nothing else, made from the runner's own files.
    ran = await run_script(
        "print(1)", event_type=EventType.PYTHON, env={"PATH": "/nowhere"}
    )
    assert ran.end.code == 127
    bare = spec_of("print(1)", event_type=EventType.PYTHON)
    sandbox = await engine.create(bare)
    assert sandbox.directory is not None
    text = (sandbox.directory / "start").read_text()
    await engine.remove(sandbox)
    error = verdict.judge(
        event_with(),
        SandboxExit(127, False, None, None),
        ["cronium: not in this image: python3"],
    )
    assert "command -v python3" in text
    assert error.type == ScriptError.INTERPRETER_MISSING


async def test_values_reach_the_script_as_data(run_script: RunScript) -> None:
    nasty = 'it\'s "quoted" $(touch /tmp/owned) `id`\nsecond line\t\\ ü €'
    ran = await run_script(
        "import json, os; print(json.dumps(os.environ['NASTY'])); "
        "print(os.path.exists('/tmp/owned'))",
        event_type=EventType.PYTHON,
        env={"NASTY": nasty},
    )
    value, owned = ran.stdout.splitlines()
    assert json.loads(value) == nasty
    assert owned == "False"


async def test_ten_thousand_variables_and_a_script_of_one_megabyte(
    run_script: RunScript,
) -> None:
    env = {f"VARIABLE_{i:05}": f"value {i}" for i in range(10_000)}
    script = "env | grep -c ^VARIABLE_\necho $VARIABLE_09999\n"
    script += "# " + "x" * (1_048_576 - len(script) - 3) + "\n"
    ran = await run_script(script, env=env)
    assert ran.stdout.splitlines() == ["10000", "value 9999"]


async def test_the_run_directory_is_closed_to_others_and_read_only(
    engine: DockerEngine, run_script: RunScript
) -> None:
    ran = await run_script(
        "cat /run/cronium/input.json; touch /run/cronium/x 2>&1; echo rc=$?",
        documents={"input.json": b'{"a": 1}'},
    )
    assert '{"a": 1}' in ran.stdout
    assert "rc=1" in ran.stdout
    assert engine.directories.parent.stat().st_mode & 0o077 == 0


async def test_a_create_of_the_same_run_replaces_what_never_started(
    engine: DockerEngine,
) -> None:
    spec = spec_of("echo twice")
    first = await engine.create(spec)
    second = await engine.create(spec)
    assert first.name == second.name
    await second.start()
    assert (await second.exited).code == 0
    await engine.remove(second)


async def test_an_image_that_is_not_there_is_a_typed_error(
    docker_client: docker.APIClient, tmp_path: Path
) -> None:
    engine = DockerEngine(
        DockerConfig(run_directory=tmp_path, pull_policy="never", instance="none")
    )
    with pytest.raises(ImageMissing, match="never"):
        await engine.create(spec_of("true", image="cronium/no-such-image:1"))
    assert engine.directories.present() == []
    engine.close()


async def test_a_pull_that_cannot_succeed_ends_with_a_reason(
    engine: DockerEngine,
) -> None:
    # Port 9 of loopback refuses: a registry that is down.
    with pytest.raises((ImagePullFailed, ImageMissing), match=r"127\.0\.0\.1:9"):
        await engine.create(spec_of("true", image="127.0.0.1:9/nothing:1"))


async def test_a_pull_that_stalls_ends_at_its_deadline_and_can_be_cancelled(
    docker_client: docker.APIClient, tmp_path: Path
) -> None:
    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    registry = await asyncio.start_server(stall, "127.0.0.1", 0)
    port = registry.sockets[0].getsockname()[1]
    engine = DockerEngine(
        DockerConfig(run_directory=tmp_path, pull_timeout=1, instance="none")
    )
    image = f"127.0.0.1:{port}/stalled:1"
    begin = time.monotonic()
    with pytest.raises(Exception, match="stalled:1"):
        await engine.create(spec_of("true", image=image))
    assert time.monotonic() - begin < 5
    pulling = asyncio.ensure_future(engine.create(spec_of("true", image=image)))
    await asyncio.sleep(0.2)
    pulling.cancel()
    await asyncio.wait([pulling], timeout=2)
    assert pulling.cancelled()
    engine.close()
    registry.close()


async def test_a_daemon_that_is_down_is_a_typed_error(tmp_path: Path) -> None:
    engine = DockerEngine(
        DockerConfig(run_directory=tmp_path, socket=str(tmp_path / "none.sock"))
    )
    with pytest.raises(EngineUnavailable, match=r"none\.sock"):
        await engine.create(spec_of("true"))
    assert await trouble_of(engine) is not None
    engine.close()


async def test_an_image_without_a_shell_is_said_clearly(
    run_script: RunScript, docker_client: docker.APIClient
) -> None:
    tag = "cronium-test/empty:1"
    docker_client.import_image_from_data(_empty_tar(), repository=tag)
    try:
        ran = await run_script("true", image=tag)
    finally:
        docker_client.remove_image(tag, force=True)
    error = verdict.judge(event_with(image=tag), ran.end, ran.stderr.splitlines())
    assert error.type == ScriptError.INTERPRETER_MISSING
    assert "/bin/sh" in error.message


def _empty_tar() -> bytes:
    import io
    import tarfile

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo("nothing")
        tar.addfile(entry, io.BytesIO())
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"resources": {"memoryMb": 4096}}, "event.resources.memoryMb: 4096"),
        ({"resources": {"cpus": 3}}, "event.resources.cpus: 3"),
        ({"resources": {"pids": 2000}}, "event.resources.pids: 2000"),
        ({"resources": {"memoryMb": 2000, "tmpMb": 600}}, "event.resources.tmpMb: 600"),
    ],
)
def test_a_request_above_a_ceiling_is_refused_with_both_numbers(
    fields: dict[str, Any], path: str, engine: DockerEngine
) -> None:
    with pytest.raises(CeilingExceeded, match=path) as caught:
        check_ceilings(engine.config, event_with(**fields))
    assert "at most" in str(caught.value)


def test_the_time_of_one_server_has_the_ceiling_too(engine: DockerEngine) -> None:
    override = {"overrides": {"a": {"timeoutSeconds": 61}}}
    event = event_with(targets=["a"], fanOut=override, timeoutSeconds=5)
    config = dataclasses.replace(engine.config, max_timeout=60)
    path = "event.fanOut.overrides.a.timeoutSeconds: 61 asked, at most 60"
    with pytest.raises(CeilingExceeded, match=path):
        check_ceilings(config, event)


async def test_this_host_is_proved(engine: DockerEngine) -> None:
    rows = await prove(engine)
    assert [row for row in rows if not row.ok] == []
    assert {row.name for row in rows} >= {
        "user",
        "capabilities",
        "seccomp",
        "memory",
        "processes",
        "read-only root",
    }


@pytest.mark.parametrize(
    ("forgotten", "row"),
    [
        ("Memory", "memory"),
        ("PidsLimit", "processes"),
        ("ReadonlyRootfs", "read-only root"),
        ("SecurityOpt", "seccomp"),
        ("CapDrop", "capabilities"),
        ("NanoCpus", "cpu quota"),
        ("Ulimits", "open files"),
        ("NetworkMode", "network none"),
        ("Tmpfs", "/tmp size"),
    ],
)
async def test_a_host_that_does_not_enforce_a_limit_is_refused(
    forgotten: str, row: str, engine: DockerEngine
) -> None:
    class LyingEngine(DockerEngine):
        """A daemon that takes the limit and forgets it."""

        def container_config(self, **arguments: Any) -> dict[str, Any]:
            config = super().container_config(**arguments)
            host = config["HostConfig"]
            del host[forgotten]
            if forgotten == "Memory":
                del host["MemorySwap"]
            if forgotten == "SecurityOpt":
                host["SecurityOpt"] = ["seccomp=unconfined"]
            return config

    lying = LyingEngine(dataclasses.replace(engine.config))
    rows = await prove(lying)
    lying.close()
    assert row in [found.name for found in rows if not found.ok]
    with pytest.raises(EngineNotHardened, match=row):
        require(rows)


async def test_the_janitor_removes_ours_and_nothing_else(
    engine: DockerEngine, docker_client: docker.APIClient
) -> None:
    leftovers = [await engine.create(spec_of("sleep 60")) for _ in range(3)]
    running = await started(engine, "echo up; sleep 60")
    claimed = await engine.create(spec_of("sleep 60"))
    waited_for = await engine.create(spec_of("sleep 60"))
    orphan = await engine.create(spec_of("sleep 60"))
    foreign = "foreign-" + secrets.token_hex(4)
    docker_client.create_container_from_config(
        {"Image": engine.config.image, "Cmd": ["true"], "Labels": {"other": "1"}},
        foreign,
    )
    stray, others = secrets.token_hex(16), "somebody-elses"
    for name in (stray, others):
        (engine.directories.parent / name).mkdir()
    try:
        asked: list[str] = []

        async def wanted(labels: Mapping[str, str]) -> bool:
            asked.append(labels[names.LABEL_RUN_KEY])
            return asked[-1] == waited_for.run_key

        def stop(key: str) -> bool:
            return key == orphan.run_key

        janitor = Janitor(engine, lambda: frozenset({claimed.run_key}), wanted, stop)
        removed = await janitor.sweep()
        assert {sandbox.name for sandbox in [*leftovers, running]} <= set(removed)
        assert stray in removed
        assert (engine.directories.parent / others).is_dir()
        assert claimed.run_key not in asked
        for kept in (claimed, waited_for, orphan):
            assert kept.name not in removed
            docker_client.inspect_container(kept.name)
        docker_client.inspect_container(foreign)
    finally:
        (engine.directories.parent / others).rmdir()
        docker_client.remove_container(foreign, force=True)
        for kept in (claimed, waited_for, orphan):
            await engine.remove(kept)


async def test_a_slow_proof_is_not_swept_away_by_the_same_worker(
    engine: DockerEngine,
) -> None:
    async def wanted(_: Mapping[str, str]) -> bool:
        return False

    janitor = Janitor(engine, frozenset, wanted, lambda _: False)

    async def sweep_for_ever() -> None:
        while True:
            await janitor.sweep()

    sweeping = asyncio.create_task(sweep_for_ever())
    try:
        require(await prove(engine))
    finally:
        sweeping.cancel()
    assert not engine.probes


async def test_the_proof_of_a_worker_that_died_is_removed(
    engine: DockerEngine, docker_client: docker.APIClient
) -> None:
    """At the second sweep, since one that is just starting has a proof as well."""
    key = "probe" + secrets.token_hex(8)
    labels = engine.labels({names.LABEL_ROLE: "probe", names.LABEL_RUN_KEY: key})
    docker_client.create_container_from_config(
        {"Image": engine.config.image, "Cmd": ["true"], "Labels": labels},
        f"cronium-{key}",
    )

    async def wanted(_: Mapping[str, str]) -> bool:
        return False

    janitor = Janitor(engine, frozenset, wanted, lambda _: False)
    assert f"cronium-{key}" not in await janitor.sweep()
    assert f"cronium-{key}" in await janitor.sweep()


async def test_no_packet_of_a_script_reaches_a_metadata_address(
    engine: DockerEngine, run_script: RunScript, metadata_service: str
) -> None:
    script = (
        "import socket\n"
        f"for host in ('{metadata_service}', '{metadata_service}'):\n"
        "    s = socket.socket(); s.settimeout(3)\n"
        "    print(s.connect_ex((host, 80)))\n"
    )
    ran = await run_script(script, event_type=EventType.PYTHON, network=Network.EGRESS)
    assert ran.stdout.split() == ["111", "111"]
    # The same network without our rules does reach it: the test can fail.
    open_engine = DockerEngine(
        dataclasses.replace(
            engine.config, egress="unfiltered", instance=engine.config.instance + "-x"
        )
    )
    spec = spec_of(script, event_type=EventType.PYTHON, network=Network.EGRESS)
    output: list[bytes] = []
    try:
        sandbox = await open_engine.create(spec)
        try:
            await sandbox.attach(lambda stream, data: output.append(data))
            await sandbox.start()
            await sandbox.exited
            await sandbox.drain()
        finally:
            await open_engine.remove(sandbox)
    finally:
        await open_engine.network.remove()
        open_engine.close()
    assert b"".join(output).split() == [b"0", b"0"]


async def test_egress_can_be_switched_off(engine: DockerEngine) -> None:
    shut = DockerEngine(dataclasses.replace(engine.config, egress="off"))
    with pytest.raises(Exception, match="switched off"):
        await shut.create(spec_of("true", network=Network.EGRESS))
    shut.close()


async def test_neighbours_cannot_reach_each_other(
    engine: DockerEngine, run_script: RunScript, docker_client: docker.APIClient
) -> None:
    listener = await started(
        engine,
        "import socket\ns = socket.socket()\ns.bind(('0.0.0.0', 8000))\ns.listen()\n"
        "print('up', flush=True)\ns.accept()",
        event_type=EventType.PYTHON,
        network=Network.EGRESS,
    )
    state = docker_client.inspect_container(listener.name)
    address = state["NetworkSettings"]["Networks"][engine.network.name]["IPAddress"]
    gateway = state["NetworkSettings"]["Networks"][engine.network.name]["Gateway"]
    try:
        ran = await run_script(
            "import socket\n"
            f"for host, port in (('{address}', 8000), ('{gateway}', 22)):\n"
            "    s = socket.socket(); s.settimeout(2)\n"
            "    print(s.connect_ex((host, port)))",
            event_type=EventType.PYTHON,
            network=Network.EGRESS,
        )
    finally:
        await listener.stop(0)
        await engine.remove(listener)
    assert "0" not in ran.stdout.split()
