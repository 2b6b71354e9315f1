"""The local stack's parts: lock and record, ports, children, readiness, checks."""

import asyncio
import json
import os
import select
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cli import record
from cli.checks import Verdict, disk, python, versions
from cli.child import Child, ChildSpec
from cli.ports import LOOPBACK, PortTaken, any_free, choose, is_free
from cli.readiness import http_problem, temporal_problem
from cli.record import StackRecord, StackRunning
from cli.stack import find, require
from cli.supervisor import temporal_command
from worker.settings import child_environment, load_settings

RECORD = StackRecord(
    pid=1, temporal="127.0.0.1:1", ui="http://u", gateway="http://g", worker="http://w"
)


def test_a_record_counts_while_its_lock_is_held(tmp_path: Path) -> None:
    assert record.read(tmp_path) is None
    with record.hold(tmp_path):
        assert record.is_held(tmp_path)
        assert record.read(tmp_path) is None
        record.write(tmp_path, RECORD)
        assert record.read(tmp_path) == RECORD
    assert not record.is_held(tmp_path)
    assert not record.record_file(tmp_path).exists()


def test_the_record_of_a_dead_stack_is_ignored(tmp_path: Path) -> None:
    record.write(tmp_path, RECORD)
    (tmp_path / "dev.lock").touch()
    assert record.read(tmp_path) is None
    with record.hold(tmp_path):
        assert record.read(tmp_path) is None


def test_a_state_directory_has_one_stack(tmp_path: Path) -> None:
    with (
        record.hold(tmp_path),
        pytest.raises(StackRunning, match="already"),
        record.hold(tmp_path),
    ):
        pass


def test_a_running_stack_is_found_and_a_configured_one_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in child_environment():
        if name.startswith(("CRONIUM_", "TEMPORAL_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    settings = load_settings(state_dir=tmp_path)
    assert find(settings) is None
    with record.hold(tmp_path):
        record.write(tmp_path, RECORD)
        found = require(settings)
        assert (found.temporal, found.ui) == ("127.0.0.1:1", "http://u")
        assert (found.gateway, found.namespace) == ("http://g", "default")
        monkeypatch.setenv("TEMPORAL_ADDRESS", "cloud:7233")
        monkeypatch.setenv("TEMPORAL_NAMESPACE", "prod")
        found = require(settings)
        # None: `temporalio.envconfig` knows more than the address, such as the key.
        assert (found.temporal, found.namespace, found.ui) == (None, "prod", None)
        assert found.gateway == settings.gateway.url
        named = load_settings(state_dir=tmp_path, temporal={"address": "mine:1"})
        assert require(named).temporal == "mine:1"


def test_the_usual_ports_are_taken_when_they_are_free(free_port: int) -> None:
    assert choose({}, {"a": free_port}) == {"a": free_port}


CHOOSES = (
    "import sys; from cli.ports import choose;"
    "print(choose({}, {'a': int(sys.argv[1])})['a'], flush=True); sys.stdin.read()"
)


def test_stacks_that_start_together_do_not_choose_the_same_port(free_port: int) -> None:
    """None of them listens yet when the others look."""
    command = [sys.executable, "-c", CHOOSES, str(free_port)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    stacks = [subprocess.Popen(command, **pipes) for _ in range(3)]
    try:
        chosen = [int(stack.stdout.readline()) for stack in stacks]
    finally:
        for stack in stacks:
            stack.communicate()
    assert len(set(chosen)) == 3
    assert free_port in chosen
    # With its process, the kernel forgets what was kept.
    again = subprocess.run(command, input="", capture_output=True, text=True)
    assert int(again.stdout) == free_port


def test_a_port_in_use_is_replaced_unless_it_was_asked_for() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        busy = server.getsockname()[1]
        chosen = choose({}, {"a": busy, "b": busy, "c": 0})
        assert busy not in chosen.values()
        assert len(set(chosen.values())) == 3
        assert all(is_free(port) for port in chosen.values())
        with pytest.raises(PortTaken, match=str(busy)):
            choose({"a": busy}, {"a": 0})


def test_a_port_is_none_that_an_outgoing_connection_could_take() -> None:
    """It would be taken while a gateway that is started again is down."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    chosen = [any_free() for _ in range(20)]
    assert len(set(chosen)) == 20
    assert max(chosen) < lowest


def test_a_port_that_was_asked_for_is_not_given_to_another(free_port: int) -> None:
    chosen = choose({"ui": free_port, "a": None}, {"a": free_port, "ui": 1})
    assert chosen["ui"] == free_port
    assert chosen["a"] != free_port
    with pytest.raises(PortTaken):
        choose({"a": free_port, "b": free_port}, {})


def test_temporal_keeps_its_state_and_listens_on_loopback(tmp_path: Path) -> None:
    command = " ".join(temporal_command(tmp_path, 1, 2))
    assert f"--db-filename {tmp_path}/temporal.db" in command
    assert "--ip 127.0.0.1 --port 1 --ui-port 2" in command


class Said:
    """What a child said, and events to wait for."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.pids: list[int] = []
        self._news = asyncio.Event()

    def say(self, name: str, line: str) -> None:
        self.lines.append(f"{name}: {line}")
        self._news.set()

    def changed(self, name: str, pid: int) -> None:
        self.pids.append(pid)

    async def until(self, text: str, times: int = 1) -> None:
        async with asyncio.timeout(15):
            while sum(text in line for line in self.lines) < times:
                await self._news.wait()
                self._news.clear()


def child(said: Said, code: str, stop_seconds: float = 10) -> Child:
    command = (sys.executable, "-u", "-c", code)
    spec = ChildSpec("part", command, child_environment(), stop_seconds)
    return Child(spec, said.say, said.changed)


async def test_a_child_that_dies_is_started_again_and_said_so() -> None:
    said = Said()
    part = child(said, "print('up'); raise SystemExit(3)")
    part.start()
    await said.until("part: up", times=2)
    assert "part: ended (code 3): starts again in 0.5 s" in said.lines
    await part.stop()
    assert len(set(said.pids)) >= 2


async def test_a_child_stops_on_term_and_is_not_started_again() -> None:
    said = Said()
    part = child(
        said,
        "import signal, sys, time\n"
        "signal.signal(15, lambda *_: (print('bye'), sys.exit(0)))\n"
        "print('up')\ntime.sleep(60)",
    )
    part.start()
    await said.until("up")
    await part.stop()
    assert said.lines == ["part: up", "part: bye"]
    assert len(said.pids) == 1


async def test_a_child_that_ignores_term_is_killed() -> None:
    said = Said()
    part = child(
        said,
        "import signal, time\nsignal.signal(15, signal.SIG_IGN)\n"
        "print('up')\ntime.sleep(60)",
        stop_seconds=0.2,
    )
    part.start()
    await said.until("up")
    async with asyncio.timeout(5):
        await part.stop()
    assert said.lines[-1] == "part: does not stop: killed"
    with pytest.raises(ProcessLookupError):
        os.kill(said.pids[0], 0)


async def test_a_child_that_waits_for_another_can_be_stopped() -> None:
    said = Said()
    part = child(said, "print('up')")
    part.start(asyncio.Event().wait)  # type: ignore[arg-type]
    async with asyncio.timeout(5):
        await part.stop()
    assert said.pids == []


async def test_a_very_long_line_does_not_stop_the_output() -> None:
    said = Said()
    part = child(said, "print('x' * 3_000_000); print('after'); input()")
    part.start()
    await said.until("part: after")
    await part.stop()


def test_children_end_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys\n"
        "from cli.child import Child, ChildSpec\n"
        "from worker.settings import child_environment\n"
        "async def main():\n"
        "    command = (sys.executable, '-c', 'import time; time.sleep(60)')\n"
        "    spec = ChildSpec('part', command, child_environment())\n"
        "    Child(spec, print, lambda name, pid: print(pid, flush=True)).start()\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    supervisor = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    )
    assert supervisor.stdout is not None
    pid = int(supervisor.stdout.readline())
    # Opened before: it stays the same process even when the number is used again.
    watched = os.pidfd_open(pid)
    supervisor.kill()
    supervisor.wait()
    ended, _, _ = select.select([watched], [], [], 10)
    os.close(watched)
    supervisor.stdout.close()
    assert ended


async def answering(status: str, body: object) -> tuple[asyncio.Server, str]:
    text = json.dumps(body)

    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, LOOPBACK, 0)
    port = server.sockets[0].getsockname()[1]
    return server, f"http://{LOOPBACK}:{port}/ready"


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        ("200 OK", {"status": "ok"}, None),
        ("503 No", {"problems": {"docker": "is down"}}, "docker: is down"),
        ("503 No", {"checks": {"a": "ok", "database": "locked"}}, "database: locked"),
        ("500 No", [], "answers with status 500"),
    ],
)
async def test_a_part_says_why_it_is_not_ready(
    status: str, body: object, problem: str | None
) -> None:
    server, url = await answering(status, body)
    async with server:
        assert await http_problem(url) == problem


async def test_a_part_that_does_not_answer_is_named(free_port: int) -> None:
    url = f"http://{LOOPBACK}:{free_port}/ready"
    assert await http_problem(url) == f"no answer at {url}"
    address = f"{LOOPBACK}:{free_port}"
    assert await temporal_problem(address) == f"no answer at {address}"


def test_the_doctor_warns_of_versions_with_known_escapes() -> None:
    old = versions(
        {
            "Version": "20.10.24+dfsg1",
            "Components": [{"Name": "runc", "Version": "1.1"}],
        }
    )
    assert [check.verdict for check in old] == [Verdict.WARN, Verdict.WARN]
    assert "29.7" in old[0].hint
    new = versions(
        {"Version": "29.7.0", "Components": [{"Name": "runc", "Version": "1.2.8"}]}
    )
    assert [check.verdict for check in new] == [Verdict.OK, Verdict.OK]
    unknown = versions({})
    assert [check.detail for check in unknown] == ["version unknown"] * 2


def test_the_doctor_looks_at_python_and_the_disk(tmp_path: Path) -> None:
    assert python().verdict is Verdict.OK
    row = disk(tmp_path / "not" / "yet" / "there")
    assert str(tmp_path) in row.detail
    assert "GB free" in row.detail
