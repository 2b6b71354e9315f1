"""The helper inside of real sandboxes: no network, read-only, by the engine itself."""

import asyncio
import os
import secrets
import subprocess
from collections.abc import Awaitable, Callable, Iterator

import docker
import pytest

from contracts.events import EventType, Resources
from contracts.logs import Stream
from contracts.names import RUN_DIRECTORY, RUNNER_IMAGE
from engines.docker import DockerEngine
from tests.compat import bash
from tests.compat.channel import EXECUTION, TOKEN, Channel, serving
from tests.compat.rendering import rendered
from tests.compat.script import BASE_ENV, Ran
from tests.compat.steps import TOGETHER, Case
from tests.docker.conftest import spec_of

SOCKET = "api.sock"
ENV = {
    **BASE_ENV,
    "CRONIUM_SOCKET": f"{RUN_DIRECTORY}/{SOCKET}",
    "CRONIUM_EXECUTION_TOKEN": TOKEN,
    "CRONIUM_EXECUTION_ID": EXECUTION,
    "CRONIUM_RUN_DIR": RUN_DIRECTORY,
}
RunWith = Callable[..., Awaitable[Ran]]


@pytest.fixture(scope="module")
def run_with(engine: DockerEngine) -> RunWith:
    """Run a script in a sandbox whose directory holds the channel's socket."""

    async def run(
        channel: Channel, language: EventType, script: str, **changes: object
    ) -> Ran:
        env = {**ENV, **changes.pop("env", {})}  # type: ignore[dict-item]
        spec = spec_of(script, event_type=language, env=env, **changes)
        sandbox = await engine.create(spec)
        output: dict[Stream, list[bytes]] = {stream: [] for stream in Stream}
        assert sandbox.directory is not None
        with serving(channel, sandbox.directory / SOCKET):
            try:
                await sandbox.attach(lambda s, data: output[s].append(data))
                await sandbox.start()
                end = await asyncio.wait_for(asyncio.shield(sandbox.exited), 60)
                assert await sandbox.drain()
            finally:
                await engine.remove(sandbox)
        out, err = (b"".join(output[s]) for s in (Stream.STDOUT, Stream.STDERR))
        return Ran(end.code, out.decode(), err.decode())

    return run


def chosen() -> list[Case]:
    """Every call in every style; the types of a call in one script."""
    return [*rendered(TOGETHER), *bash.CASES]


@pytest.mark.parametrize("case", chosen(), ids=lambda case: case.id)
async def test_the_script_runs_as_promised(case: Case, run_with: RunWith) -> None:
    channel = Channel(input=case.input, variables=dict(case.before))
    ran = await run_with(channel, case.language, case.script)
    assert (ran.code, ran.err, ran.out) == (0, "", case.stdout)
    assert {name: getattr(channel, name) for name in case.after} == case.after


LATENCY = {
    EventType.PYTHON: """
import subprocess, sys, time
def half(calls, act):
    taken = []
    for _ in range(calls):
        begin = time.perf_counter()
        act()
        taken.append(time.perf_counter() - begin)
    return sorted(taken)[calls // 2] * 1000
cronium.get_variable("N")
print(half(200, lambda: cronium.get_variable("N")))
print(half(10, lambda: subprocess.run([sys.executable, "-c", ""])))
""",
    EventType.NODEJS: """
const { performance } = require("perf_hooks");
const { spawnSync } = require("child_process");
const half = (calls, act) => {
  const taken = [];
  for (let i = 0; i < calls; i++) {
    const begin = performance.now();
    act();
    taken.push(performance.now() - begin);
  }
  return taken.sort((a, b) => a - b)[calls >> 1];
};
cronium.getVariable("N");
console.log(half(200, () => cronium.getVariable("N")));
console.log(half(10, () => spawnSync(process.execPath, ["-e", ""])));
""",
}


@pytest.mark.parametrize("language", LATENCY)
async def test_a_call_costs_less_than_the_start_of_a_process(
    language: EventType, run_with: RunWith
) -> None:
    ran = await run_with(Channel(variables={"N": 1}), language, LATENCY[language])
    assert (ran.code, ran.err) == (0, "")
    half, start = map(float, ran.out.split())
    print(f"{language}: p50 {half:.2f} ms, an empty process {start:.2f} ms")
    assert half < start


SMALL = {
    EventType.PYTHON: "print(cronium.input())",
    EventType.NODEJS: "console.log(cronium.input())",
    EventType.BASH: "cronium_input",
}


@pytest.mark.parametrize("language", SMALL)
async def test_the_helper_works_in_the_smallest_sandbox(
    language: EventType, run_with: RunWith
) -> None:
    ran = await run_with(
        Channel(input=7),
        language,
        SMALL[language],
        resources=Resources(memory_mb=64, cpus=0.5, pids=20, tmp_mb=1),
    )
    assert (ran.code, ran.out, ran.err) == (0, "7\n", "")


async def test_a_script_cannot_change_its_helper(run_with: RunWith) -> None:
    script = (
        "for file in sdk/bash/cronium.sh sdk/python/cronium/__init__.py "
        "node_modules/cronium/cronium.js api.sock; do\n"
        "(: >> $CRONIUM_RUN_DIR/$file) 2>/dev/null || echo refused; done"
    )
    ran = await run_with(Channel(), EventType.BASH, script)
    assert ran.out == "refused\n" * 4


@pytest.fixture(scope="module")
def bare_image(docker_client: docker.APIClient) -> Iterator[str]:
    """An image of a user's own that knows nothing of us: no curl, no jq, no Node.js."""
    name = f"cronium-test/bare:{secrets.token_hex(4)}"
    lines = (
        f"FROM {RUNNER_IMAGE}\nUSER 0\n"
        "RUN rm -f /usr/bin/curl /usr/bin/jq /usr/bin/node /usr/bin/nodejs\n"
        "ENV PYTHONPATH=/usr/share/mine\n"
    )
    subprocess.run(
        ["docker", "build", "--quiet", "--network=none", "--tag", name, "-"],
        input=lines.encode(),
        # The plain builder is part of every engine; the newer one is not.
        env={**os.environ, "DOCKER_BUILDKIT": "0"},
        capture_output=True,
        check=True,
    )
    try:
        yield name
    finally:
        docker_client.remove_image(name, force=True)


@pytest.mark.parametrize("language", [EventType.PYTHON, EventType.BASH])
async def test_an_image_of_the_user_s_own_has_the_helper_as_well(
    language: EventType, bare_image: str, run_with: RunWith
) -> None:
    ran = await run_with(Channel(input=7), language, SMALL[language], image=bare_image)
    assert (ran.code, ran.out, ran.err) == (0, "7\n", "")
