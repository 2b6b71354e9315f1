"""The guard of the Docker socket: our engine works behind it, and nothing else does."""

import asyncio
import contextlib
import copy
import json
import secrets
import socket
from collections.abc import Callable, Iterator
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any
from urllib.parse import quote

import docker
import pytest

from contracts import names
from contracts.errors import EngineUnavailable, SandboxFailed
from contracts.events import Network
from contracts.logs import Stream
from contracts.names import RUNNER_IMAGE
from engines.docker import DockerEngine, Sandbox
from engines.docker.guard import CallRefused, Guard
from engines.docker.guard.calls import understood
from engines.docker.proof import prove, require
from engines.docker.sandbox import COMMAND
from engines.places import NAME_PREFIX
from tests.chaos.wire import until
from tests.deploy.conftest import Guarded
from tests.docker.conftest import spec_of

Body = dict[str, Any]


async def run(engine: DockerEngine, script: str, **changes: Any) -> tuple[int, bytes]:
    sandbox = await engine.create(spec_of(script, **changes))
    output: list[bytes] = []
    try:
        await sandbox.attach(lambda stream, data: output.append(data))
        await sandbox.start()
        end = await asyncio.wait_for(asyncio.shield(sandbox.exited), 60)
        assert await sandbox.drain()
    finally:
        await engine.remove(sandbox)
    return end.code, b"".join(output)


async def test_a_script_runs_through_the_guard(guarded: Guarded) -> None:
    code, output = await run(guarded.engine, "echo out; echo err >&2; exit 7")

    assert code == 7
    assert sorted(output.split()) == [b"err", b"out"]
    assert any("/attach" in line for line in guarded.tap.changes)


async def test_a_sandbox_that_waits_is_renamed_through_the_guard(
    guarded: Guarded,
) -> None:
    await run(guarded.engine, "echo first")
    code, output = await run(guarded.engine, "echo second")

    assert (code, output) == (0, b"second\n")
    assert any("/rename?name=cronium-" in line for line in guarded.tap.changes)


async def test_the_limits_of_a_host_are_proved_through_the_guard(
    guarded: Guarded,
) -> None:
    require(await prove(guarded.engine))


async def test_a_script_reaches_the_egress_network_through_the_guard(
    guarded: Guarded,
) -> None:
    code, output = await run(
        guarded.engine, "ls /sys/class/net | tr '\\n' ' '", network=Network.EGRESS
    )
    # The next one of its kind waits on the network by now.
    await guarded.engine.standby.close()
    await guarded.engine.network.retire()

    assert (code, b"eth0" in output) == (0, True), output
    assert sum("/networks/create" in line for line in guarded.tap.changes) == 1
    assert any("/networks/cronium-egress-" in x for x in guarded.tap.changes)


async def test_a_megabyte_of_output_comes_whole_and_in_order(guarded: Guarded) -> None:
    code, output = await run(guarded.engine, "seq 1 150000")

    assert code == 0
    assert output == b"".join(b"%d\n" % n for n in range(1, 150_001))


async def test_output_is_read_again_and_followed_through_the_guard(
    guarded: Guarded,
) -> None:
    sandbox = await guarded.engine.create(spec_of("echo early; read x < /dev/zero"))
    early = asyncio.Event()
    again: list[bytes] = []
    try:
        await sandbox.attach(lambda stream, data: early.set())
        await sandbox.start()
        await asyncio.wait_for(early.wait(), 20)
        heard = asyncio.Event()

        def note(stream: Stream, data: bytes) -> None:
            again.append(data)
            heard.set()

        await sandbox.replay(note, follow=True)
        await asyncio.wait_for(heard.wait(), 20)
        assert await sandbox.first_output_at() is not None
        end = await sandbox.stop(grace=0.2)
    finally:
        await guarded.engine.remove(sandbox)

    assert b"".join(again) == b"early\n"
    assert end.code == 143


async def test_a_daemon_that_is_away_looks_the_same_behind_a_guard(
    guarded: Guarded,
) -> None:
    await guarded.engine.version()
    await guarded.tap.close()
    guarded.tap.path.unlink()

    with pytest.raises(EngineUnavailable):
        await guarded.engine.version()
    with pytest.raises(EngineUnavailable):
        await guarded.engine.ping(2)


async def test_whoever_stops_following_ends_the_call_to_the_daemon(
    guarded: Guarded,
) -> None:
    sandbox = await guarded.engine.create(spec_of("read x < /dev/zero"))
    try:
        await sandbox.attach(lambda stream, data: None)
        await sandbox.start()
        _, writer = await asyncio.open_unix_connection(str(guarded.socket))
        writer.write(
            b"POST /containers/%s/wait HTTP/1.1\r\nHost: d\r\n\r\n" % name(sandbox)
        )
        await writer.drain()
        await until(lambda: waits(guarded) == 2, 20, "the second wait")
        there = guarded.tap.connections
        writer.close()
        await until(lambda: guarded.tap.connections < there, 20, "its end")
    finally:
        await guarded.engine.remove(sandbox)


def waits(guarded: Guarded) -> int:
    return sum("/wait" in line for line in guarded.tap.seen)


def name(sandbox: Sandbox) -> bytes:
    return sandbox.name.encode()


# What a worker that was taken over might ask for --------------------------------------


@pytest.fixture
def foreign(docker_client: docker.APIClient) -> Iterator[str]:
    """A container that is not the executor's."""
    identity = docker_client.create_container(
        RUNNER_IMAGE, ["sleep", "60"], name="crn-foreign-" + secrets.token_hex(4)
    )["Id"]
    docker_client.start(identity)
    yield identity
    docker_client.remove_container(identity, force=True)


async def ask(
    guarded: Guarded, method: str, target: str, body: Body | None = None
) -> tuple[int, str]:
    """Say one thing to the guard; return status and message."""
    data = b"" if body is None else json.dumps(body).encode()
    return await say(
        guarded.socket,
        f"{method} {target} HTTP/1.1\r\nHost: d\r\nConnection: close\r\n"
        f"Content-Length: {len(data)}\r\n\r\n".encode()
        + data,
    )


async def say(path: Path, request: bytes) -> tuple[int, str]:
    reader, writer = await asyncio.open_unix_connection(str(path))
    try:
        writer.write(request)
        await writer.drain()
        answer = await asyncio.wait_for(reader.read(), 20)
    finally:
        writer.close()
    head, _, rest = answer.partition(b"\r\n\r\n")
    return (int(head.split(b" ")[1]) if head else 0), rest.decode(errors="replace")


CALLS = {
    "exec": "POST /containers/{foreign}/exec",
    "exec in our own": "POST /containers/cronium-0123456789abcdef/exec",
    "start an exec": "POST /exec/0123456789abcdef/start",
    "build": "POST /build?remote=x",
    "commit": "POST /commit?container={foreign}",
    "load images": "POST /images/load",
    "import": "POST /images/create?fromSrc=-&repo=x",
    "push": "POST /images/x/push",
    "remove an image": "DELETE /images/x",
    "make a volume": "POST /volumes/create",
    "list volumes": "GET /volumes",
    "swarm": "POST /swarm/init",
    "secrets": "GET /secrets",
    "plugins": "POST /plugins/pull?remote=x",
    "services": "POST /services/create",
    "session": "POST /session",
    "grpc": "POST /grpc",
    "update limits": "POST /containers/{foreign}/update",
    "read files": "GET /containers/{foreign}/archive?path=/",
    "write files": "PUT /containers/{foreign}/archive?path=/",
    "export": "GET /containers/{foreign}/export",
    "prune": "POST /containers/prune",
    "prune networks": "POST /networks/prune",
    "connect a network": "POST /networks/bridge/connect",
    "remove a network": "DELETE /networks/bridge",
    "all containers": "GET /containers/json?all=1",
    "events": "GET /events",
    "look into another": "GET /containers/{foreign}/json",
    "kill another": "POST /containers/{foreign}/kill?signal=KILL",
    "remove another": "DELETE /containers/{foreign}?force=1",
    "attach to another": "POST /containers/{foreign}/attach?stdout=1",
    "logs of another": "GET /containers/{foreign}/logs?stdout=1",
    "rename another": "POST /containers/{foreign}/rename?name=cronium-0123456789abcdef",
    "a way around": "GET /containers/../volumes",
    "an encoded way around": "DELETE /networks/%2e%2e%2fcontainers%2f{foreign}",
    "an encoded slash": "POST /containers/{foreign}%2fexec",
    "another version": "POST /v9.99/containers/create",
    "a whole address": "GET http://docker/volumes",
    "attach with stdin": "POST /containers/{foreign}/attach?stdin=1&stdout=1",
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
async def test_a_call_that_is_not_ours_never_reaches_the_daemon(
    guarded: Guarded, foreign: str, call: str
) -> None:
    method, target = call.format(foreign=foreign).split(" ", 1)

    status, message = await ask(guarded, method, target)

    assert status == 403, message
    assert "guard: " in message
    assert foreign not in message
    looks = [line for line in guarded.tap.seen if f"/{foreign}/json" in line]
    assert guarded.tap.seen == looks


def change(*path: str, to: Any) -> Callable[[Body], None]:
    """Return a change of one part of a create body."""

    def apply(body: Body) -> None:
        for key in path[:-1]:
            body = body[key] if not isinstance(body, list) else body[int(key)]
        body[path[-1]] = to

    return apply


HOST = "HostConfig"
BODIES = {
    "privileged": change(HOST, "Privileged", to=True),
    "a capability": change(HOST, "CapAdd", to=["SYS_ADMIN"]),
    "capabilities kept": change(HOST, "CapDrop", to=[]),
    "the host's root": change(HOST, "Binds", to=["/:/host"]),
    "a mount of the host": change(HOST, "Mounts", "0", "Source", to="/etc"),
    "a mount above": change(HOST, "Mounts", "0", "Source", to="/run/../etc"),
    "a mount that is writable": change(HOST, "Mounts", "0", "ReadOnly", to=False),
    "a mount that spreads": change(
        HOST, "Mounts", "0", "BindOptions", to={"Propagation": "rshared"}
    ),
    "no mount at all": change(HOST, "Mounts", to=[]),
    "the host's processes": change(HOST, "PidMode", to="host"),
    "the host's memory": change(HOST, "IpcMode", to="host"),
    "the host's network": change(HOST, "NetworkMode", to="host"),
    "another's network": change(HOST, "NetworkMode", to="container:x"),
    "the default network": change(HOST, "NetworkMode", to="bridge"),
    "the host's users": change(HOST, "UsernsMode", to="host"),
    "the host's names": change(HOST, "UTSMode", to="host"),
    "the host's groups": change(HOST, "CgroupnsMode", to="host"),
    "a cgroup parent": change(HOST, "CgroupParent", to="/"),
    "a device": change(HOST, "Devices", to=[{"PathOnHost": "/dev/sda"}]),
    "all devices": change(HOST, "DeviceCgroupRules", to=["a *:* rwm"]),
    "another runtime": change(HOST, "Runtime", to="other"),
    "no seccomp": change(HOST, "SecurityOpt", to=["seccomp=unconfined"]),
    "no no-new-privileges": change(HOST, "SecurityOpt", "0", to="apparmor=unconfined"),
    "a root that is writable": change(HOST, "ReadonlyRootfs", to=False),
    "a root that is nearly false": change(HOST, "ReadonlyRootfs", to=0),
    "a tmpfs elsewhere": change(HOST, "Tmpfs", "/etc", to="rw"),
    "another tmpfs": change(HOST, "Tmpfs", "/tmp", to="rw,exec,suid,size=64m"),
    "more memory than allowed": change(HOST, "Memory", to=1 << 40),
    "no memory limit": change(HOST, "Memory", to=0),
    "swap": change(HOST, "MemorySwap", to=-1),
    "no process limit": change(HOST, "PidsLimit", to=-1),
    "no processor limit": change(HOST, "NanoCpus", to=0),
    "sysctls": change(HOST, "Sysctls", to={"kernel.shm_rmid_forced": "0"}),
    "volumes of others": change(HOST, "VolumesFrom", to=["x"]),
    "ports": change(HOST, "PortBindings", to={"22/tcp": [{"HostPort": "22"}]}),
    "a restart policy": change(HOST, "RestartPolicy", to={"Name": "always"}),
    "a log driver": change(HOST, "LogConfig", "Type", to="syslog"),
    "paths unmasked": change(HOST, "MaskedPaths", to=[]),
    "a key in small letters": change("hostconfig", to={"Privileged": True}),
    "root": change("User", to="0"),
    "another program": change("Entrypoint", to=["/bin/sh", "-c", "id"]),
    "another command": change("Cmd", to=["id"]),
    "a variable": change("Env", to=["LD_PRELOAD=/tmp/x.so"]),
    "a health check": change("Healthcheck", to={"Test": ["CMD", "id"]}),
    "a label of others": change("Labels", "com.example", to="x"),
    "another instance": change("Labels", names.LABEL_INSTANCE, to="other"),
    "a number for a label": change("Labels", names.LABEL_RUN_KEY, to=1),
    "a volume": change("Volumes", to={"/x": {}}),
    "networks besides": change(
        "NetworkingConfig", to={"EndpointsConfig": {"host": {}}}
    ),
    "no host part": change(HOST, to=None),
}


@pytest.fixture
def ours(guarded: Guarded) -> tuple[str, Body]:
    """The name and the body of a container that would be let through."""
    key = secrets.token_hex(16)
    directory = guarded.config.run_directory / key
    directory.mkdir(parents=True)
    spec = spec_of("true", run_key=key)
    return NAME_PREFIX + key, guarded.engine.container_config(
        image=RUNNER_IMAGE,
        command=COMMAND,
        resources=spec.resources,
        network=Network.NONE,
        run_directory=str(directory),
        labels=guarded.engine.labels(spec.labels),
    )


async def test_the_body_that_hostile_ones_are_made_of_is_let_through(
    guarded: Guarded, ours: tuple[str, Body]
) -> None:
    container, body = ours

    status, message = await ask(
        guarded, "POST", f"/containers/create?name={container}", body
    )

    assert status == 201, message
    guarded.engine.directories.remove(container.removeprefix(NAME_PREFIX))


@pytest.mark.parametrize("hostile", BODIES.values(), ids=BODIES.keys())
async def test_a_container_that_is_not_ours_is_never_asked_for(
    guarded: Guarded, ours: tuple[str, Body], hostile: Callable[[Body], None]
) -> None:
    container, body = ours
    body = copy.deepcopy(body)
    try:
        hostile(body)
    except TypeError:
        body["HostConfig"]["Mounts"][0]["Source"] = "/etc"

    status, message = await ask(
        guarded, "POST", f"/containers/create?name={container}", body
    )

    assert status == 403, message
    assert guarded.tap.seen == []


async def test_a_link_in_the_run_directory_is_no_way_to_the_host(
    guarded: Guarded, ours: tuple[str, Body]
) -> None:
    container, body = ours
    become_link(body)

    status, message = await ask(
        guarded, "POST", f"/containers/create?name={container}", body
    )

    assert status == 403
    assert "Mounts" in message
    assert guarded.tap.seen == []


async def test_a_directory_that_became_a_link_is_not_started(
    guarded: Guarded, ours: tuple[str, Body]
) -> None:
    container, body = ours
    await ask(guarded, "POST", f"/containers/create?name={container}", body)
    become_link(body)

    status, _ = await ask(guarded, "POST", f"/containers/{container}/start")

    assert status == 403
    assert not any("/start" in line for line in guarded.tap.changes)


def become_link(body: Body) -> None:
    directory = Path(body["HostConfig"]["Mounts"][0]["Source"])
    directory.rmdir()
    directory.symlink_to("/etc")


@pytest.mark.parametrize(
    "container", ["x", "cronium-worker-1", "cronium-", "cronium-0123", ""]
)
async def test_a_container_has_a_name_of_ours(
    guarded: Guarded, ours: tuple[str, Body], container: str
) -> None:
    status, message = await ask(
        guarded, "POST", f"/containers/create?name={quote(container)}", ours[1]
    )

    assert status == 403, message
    assert guarded.tap.seen == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("Driver",), "macvlan"),
        (("Name",), "cronium-egress-00000000"),
        (("Options", "com.docker.network.bridge.enable_icc"), "true"),
        (("Options", "com.docker.network.bridge.name"), "docker0"),
        (("IPAM", "Config", "0", "Subnet"), "192.0.2.0/24"),
        (("Internal",), True),
        (("Labels", names.LABEL_ROLE), "other"),
        (("Labels", "com.example"), "x"),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, tuple) else "",
)
async def test_a_network_that_is_not_ours_is_never_asked_for(
    guarded: Guarded, path: tuple[str, ...], value: Any
) -> None:
    pool = IPv4Network(guarded.config.egress_pool[0])
    body = json.loads(
        json.dumps(guarded.engine.network.body(next(pool.subnets(new_prefix=26))))
    )
    part = body
    for key in path[:-1]:
        part = part[int(key)] if isinstance(part, list) else part[key]
    part[path[-1]] = value

    status, message = await ask(guarded, "POST", "/networks/create", body)

    assert status == 403, message
    assert guarded.tap.seen == []


async def test_keys_that_are_there_twice_are_read_once(
    guarded: Guarded, ours: tuple[str, Body]
) -> None:
    """What the daemon gets was written by the guard, from what it has checked."""
    container, body = ours
    text = json.dumps(body)
    twice = text.replace(
        '"Privileged": false', '"Privileged": true, "Privileged": false'
    )
    assert twice != text
    status, message = await say(
        guarded.socket,
        f"POST /containers/create?name={container} HTTP/1.1\r\nHost: d\r\n"
        f"Connection: close\r\nContent-Length: {len(twice)}\r\n\r\n{twice}".encode(),
    )

    assert status == 201, message
    made = await guarded.engine.sandbox(container.removeprefix(NAME_PREFIX)).inspect()
    assert made["HostConfig"]["Privileged"] is False


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(
            b"POST /containers/x/start HTTP/1.1\r\nHost: d\r\nContent-Length: 4\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            b"GET /volumes HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n",
            id="two lengths",
        ),
        pytest.param(b"GET /_ping HTTP/1.1\r\n\r\n" + b"\0" * 64, id="no host"),
        pytest.param(b"\x16\x03\x01 no http", id="not http"),
        pytest.param(b"GET /" + b"a" * 70_000, id="an endless line"),
        pytest.param(
            b"GET /_ping\r\nX: y HTTP/1.1\r\nHost: d\r\n\r\n", id="a broken line"
        ),
    ],
)
async def test_what_is_no_clear_request_goes_nowhere(
    guarded: Guarded, request_: bytes
) -> None:
    status, _ = await say(guarded.socket, request_)

    assert status in (0, 403, 404)
    assert guarded.tap.changes == []
    assert not any("/volumes" in line for line in guarded.tap.seen)


async def test_a_request_behind_an_attach_is_no_request(guarded: Guarded) -> None:
    sandbox = await guarded.engine.create(spec_of("true"))
    seen = len(guarded.tap.seen)
    try:
        await say_and_close(
            guarded.socket,
            b"POST /containers/%s/attach?stdout=1&stream=1 HTTP/1.1\r\nHost: d\r\n"
            b"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
            b"GET /volumes HTTP/1.1\r\nHost: d\r\n\r\n" % name(sandbox),
        )
        assert not any("/volumes" in line for line in guarded.tap.seen[seen:])
    finally:
        await guarded.engine.remove(sandbox)


async def say_and_close(path: Path, request: bytes) -> None:
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(request)
    await asyncio.wait_for(reader.readline(), 20)
    writer.close()


async def test_a_body_without_end_is_cut_off(guarded: Guarded) -> None:
    # What is still on its way when the guard hangs up may cost the caller the answer.
    with contextlib.suppress(ConnectionError):
        status, message = await say(
            guarded.socket,
            b"POST /containers/create?name=x HTTP/1.1\r\nHost: d\r\n"
            b"Content-Length: 2000000\r\n\r\n" + b" " * 1_100_000,
        )
        assert (status, "larger" in message) == (403, True)
    assert guarded.tap.seen == []
    assert (await ask(guarded, "GET", "/_ping"))[0] == 200


async def test_a_refusal_says_which_part_and_what_to_do(
    guarded: Guarded, ours: tuple[str, Body]
) -> None:
    container, body = ours
    body["HostConfig"]["Privileged"] = True

    with pytest.raises(SandboxFailed) as refused:
        await guarded.engine.calls.run(
            lambda client: client.create_container_from_config(body, container)
        )

    assert "HostConfig.Privileged" in str(refused.value)
    assert "same CRONIUM_ variables" in str(refused.value)


async def test_the_socket_is_for_its_owner_and_group_alone(guarded: Guarded) -> None:
    assert guarded.socket.stat().st_mode & 0o777 == 0o660


def test_an_image_is_named_to_the_daemon_as_it_was_said() -> None:
    digest = "127.0.0.1:9/a/b@sha256:" + "0" * 64
    call = understood("GET", f"/v1.41/images/{quote(digest, safe='/:')}/json")

    assert call.target() == f"/v1.41/images/{quote(digest, safe='/:')}/json"
    for bad in ("/images/../containers/x/json", "/images//json", "/images/a//b/json"):
        with pytest.raises(CallRefused):
            understood("GET", bad)


def test_a_container_is_named_to_the_daemon_by_its_id() -> None:
    call = understood("GET", "/containers/containers/logs?stdout=1")

    assert call.target("0" * 64) == f"/containers/{'0' * 64}/logs?stdout=1"


async def test_a_socket_of_an_earlier_life_is_replaced(guarded: Guarded) -> None:
    path = guarded.socket.with_name("old.sock")
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    guard = Guard(guarded.engine)
    await guard.open(path)
    try:
        assert (await say(path, b"GET /_ping HTTP/1.0\r\n\r\n"))[0] == 200
    finally:
        await guard.close()
