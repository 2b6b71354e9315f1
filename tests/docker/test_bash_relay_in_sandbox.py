"""The Bash helper's relay inside of real sandboxes, with the worker's own server."""

import asyncio
import json
import os
import secrets
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import docker
import pytest

from contracts.events import Resources
from contracts.logs import Stream
from contracts.names import RUN_DIRECTORY, RUNNER_IMAGE
from engines.channel import ChannelRun, ChannelServer, channel_environment
from engines.docker import DockerEngine
from tests.compat.script import Ran
from tests.docker.conftest import spec_of
from tests.unit.channel import TOKEN, MemoryVariables

EXECUTION = "exec_1"
ENV = {
    **channel_environment(TOKEN, 0),
    "CRONIUM_EXECUTION_ID": EXECUTION,
    "CRONIUM_RUN_DIR": RUN_DIRECTORY,
}
# The first call starts the relay; with a limit of time, lest a failure hangs.
READY = (
    "cronium_get_variable N\nuntil [[ -s /dev/shm/.cronium-relay ]]; do\n"
    "((SECONDS < 30)) || exit 99; sleep 0.01; done\n"
)
GONE = "while pgrep -f relay.pl >/dev/null; do sleep 0.01; done; ! ps -eo stat | grep Z"
RunWith = Callable[..., Awaitable[Ran]]


@pytest.fixture
def run_with(engine: DockerEngine, tmp_path: Path) -> RunWith:
    """Run a Bash script in a sandbox; N is 1."""

    async def run(script: str, seconds: float = 60, **changes: object) -> Ran:
        store = MemoryVariables()
        store.values["ann", "N"] = 1
        sandbox = await engine.create(spec_of(script, env=ENV, **changes))
        output: dict[Stream, list[bytes]] = {stream: [] for stream in Stream}
        assert sandbox.directory is not None
        server = ChannelServer(store)
        channel = await server.open(
            ChannelRun(
                execution_id=EXECUTION,
                user="ann",
                token=TOKEN,
                state_file=tmp_path / "state" / "run.json",
                input=json.dumps({"a": [1]}).encode(),
            ),
            sandbox.directory / "api.sock",
        )
        try:
            await sandbox.attach(lambda s, data: output[s].append(data))
            await sandbox.start()
            end = await asyncio.wait_for(asyncio.shield(sandbox.exited), seconds)
            assert await sandbox.drain()
        finally:
            await engine.remove(sandbox)
            await server.close(channel)
        out, err = (b"".join(output[s]) for s in (Stream.STDOUT, Stream.STDERR))
        return Ran(end.code, out.decode(), err.decode())

    return run


CALLS = """
calls=(cronium_input "cronium_progress 0.5" "cronium_get_variable N"
  "cronium_increment_variable N")
measure() {
  local took=() number begin
  for ((number = 0; number < 100; number++)); do
    begin=${EPOCHREALTIME/[.,]/}
    ${calls[number % 4]} >/dev/null
    took+=($((${EPOCHREALTIME/[.,]/} - begin)))
  done
  printf '%s\\n' "${took[@]}" | sort -n | sed -n 50p
}
measure
"""


async def test_a_call_costs_less_than_half_of_one_without_the_relay(
    run_with: RunWith,
) -> None:
    without = f"kill -9 $(pgrep -f relay.pl); {GONE}\nmeasure"
    ran = await run_with(READY + CALLS + without)
    assert (ran.code, ran.err) == (0, "")
    half, slow = (int(line) / 1000 for line in ran.out.split()[1:])
    print(f"bash: p50 {half:.2f} ms, without the relay {slow:.2f} ms")
    assert half < slow / 2


async def test_the_relay_is_there_and_not_in_the_way(run_with: RunWith) -> None:
    ran = await run_with(
        "set -euo pipefail\ntrap 'echo bye' EXIT\n" + READY + "wait; jobs; ls -A /tmp\n"
        "ps -eo args | grep -c '[r]elay.pl'\n"
        "[[ $(ps -eo args) != *$CRONIUM_EXECUTION_TOKEN* ]] || echo seen\n"
        "for n in {1..20}; do cronium_increment_variable C & done | sort -n | tail -1\n"
        "x=$(cronium_input | jq -c .a); echo $x; exit 7"
    )
    assert (ran.code, ran.err, ran.out) == (7, "", "1\n1\n20\n[1]\nbye\n")


async def test_the_end_of_a_sandbox_does_not_wait_for_the_relay(
    run_with: RunWith,
) -> None:
    ran = await run_with(READY + "date +%s.%N")
    ended = time.time()
    assert ran.code == 0
    assert ended - float(ran.out.split()[1]) < 10


@pytest.mark.parametrize(
    "script",
    [
        f"kill -9 $(pgrep -f relay.pl); {GONE}",
        f"kill $(pgrep -f relay.pl); {GONE}",
        "rm /dev/shm/.cronium-relay*",
        "echo 1 1 > /dev/shm/.cronium-relay",
    ],
    ids=["killed", "ended", "lost", "misled"],
)
async def test_a_script_that_ends_or_breaks_it_goes_on(
    script: str, run_with: RunWith
) -> None:
    calls = "for _ in 1 2 3; do cronium_get_variable N; done\n"
    ran = await run_with(f"set -euo pipefail\n{READY}{script}\n{calls}")
    assert (ran.code, ran.err, ran.out) == (0, "", "1\n" * 4)


async def test_it_fits_into_the_smallest_sandbox(run_with: RunWith) -> None:
    ran = await run_with(
        READY + "for _ in {1..20}; do cronium_increment_variable C; done | tail -1",
        resources=Resources(memory_mb=64, cpus=0.5, pids=20, tmp_mb=1),
    )
    assert (ran.code, ran.err, ran.out) == (0, "", "1\n20\n")


async def test_other_programs_find_the_same_relay(run_with: RunWith) -> None:
    ran = await run_with(
        READY + "sh -c 'cronium.getVariable N'; echo N | xargs cronium.getVariable\n"
        "python3 -c 'print(cronium.get_variable(\"N\"))'; bash -c cronium_input\n"
        "ps -eo args | grep -c '[r]elay.pl'"
    )
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == '1\n1\n1\n1\n{\n  "a": [\n    1\n  ]\n}\n1\n'


@pytest.fixture(scope="module")
def image_without_perl(docker_client: docker.APIClient) -> Iterator[str]:
    """An image of a user's own with nothing but Python."""
    name = f"cronium-test/noperl:{secrets.token_hex(4)}"
    lines = (
        f"FROM {RUNNER_IMAGE}\nUSER 0\n"
        "RUN rm -f /usr/bin/perl* /usr/bin/jq /usr/bin/curl /usr/bin/node*\n"
    )
    subprocess.run(
        ["docker", "build", "--quiet", "--network=none", "--tag", name, "-"],
        input=lines.encode(),
        env={**os.environ, "DOCKER_BUILDKIT": "0"},
        capture_output=True,
        check=True,
    )
    try:
        yield name
    finally:
        docker_client.remove_image(name, force=True)


async def test_an_image_without_perl_does_without_it(
    image_without_perl: str, run_with: RunWith
) -> None:
    ran = await run_with(
        "for _ in 1 2 3; do cronium_increment_variable N; done; ls -A /dev/shm",
        image=image_without_perl,
    )
    assert (ran.code, ran.err, ran.out) == (0, "", "2\n3\n4\n")
