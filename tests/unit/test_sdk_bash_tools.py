"""The Bash helper with each program that can bring its calls to the worker's server."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from contracts.events import EventType
from engines.channel import Channel, ChannelRun, ChannelServer
from tests.compat.channel import EVENT, EXECUTION, TOKEN, serving
from tests.compat.channel import Channel as Script
from tests.compat.script import Bench, Ran
from tests.unit.channel import MemoryVariables
from tests.unit.test_sdk_channel import only

BASH = EventType.BASH
TOOLS = ["nc.openbsd", "socat", "curl", "python3", "node"]


@pytest.fixture
def store() -> MemoryVariables:
    return MemoryVariables()


@pytest.fixture
async def channel(store: MemoryVariables, tmp_path: Path) -> AsyncIterator[Channel]:
    run = ChannelRun(
        execution_id=EXECUTION,
        user="ann",
        token=TOKEN,
        state_file=tmp_path / "state" / "run.json",
        input=json.dumps({"é": [1, None]}).encode(),
        context=EVENT,
    )
    server = ChannelServer(store)
    channel = await server.open(run, tmp_path / "api.sock")
    yield channel
    await server.close(channel)


async def tried(tmp_path: Path, tools: str, script: str, **env: str) -> Ran:
    bench = Bench(tmp_path, str(tmp_path / "api.sock"), path=only(tmp_path, tools))
    return await asyncio.to_thread(bench.run, BASH, script, **env)


@pytest.mark.parametrize("tool", TOOLS)
async def test_one_program_is_enough_and_no_other_reads_json(
    tool: str, channel: Channel, store: MemoryVariables, tmp_path: Path
) -> None:
    ran = await tried(
        tmp_path,
        tool,
        "set -euo pipefail\ncronium_input; cronium_increment_variable N\n"
        "cronium_set_variable T $'a \"b\"\\n\\n'; cronium_get_variable T\n"
        "cronium_get_variable NONE; cronium_delete_variable N\n"
        "cronium_set_condition yes; cronium_get_condition; cronium_progress 0.5 ☃\n"
        "cronium_list_variables; cronium_set_variable 1 x || echo $?\n"
        "cronium_output \"$(printf 'ü%.0s' $(seq 100000))\"",
    )
    assert ran.out == (
        '{\n  "é": [\n    1,\n    null\n  ]\n}\n1\na "b"\n\n\n'
        'true\n{\n  "T": "a \\"b\\"\\n\\n"\n}\n1\n'
    ), ran  # fmt: skip
    assert ran.err.startswith("Error: API Error (400): ")
    assert (ran.code, len(ran.err.splitlines())) == (0, 1)
    assert store.values == {("ann", "T"): 'a "b"\n\n'}
    assert channel.state.output == json.dumps("ü" * 100_000, ensure_ascii=False)
    assert channel.state.progress is not None
    assert channel.state.progress.text == "☃"


@pytest.mark.parametrize("tool", ["nc.openbsd", "socat", "curl"])
async def test_what_is_large_comes_as_json(
    tool: str, channel: Channel, store: MemoryVariables, tmp_path: Path
) -> None:
    store.values["ann", "L"] = "é\n" * 50_000
    ran = await tried(
        tmp_path, f"{tool} jq", "x=$(cronium_get_variable L; echo .); echo ${#x}"
    )
    assert (ran.out, ran.err) == ("100002\n", "")


@pytest.mark.parametrize("tool", ["nc.openbsd", "socat"])
@pytest.mark.parametrize("faults", [["close", 503], ["lost", "close"], [500, 500]])
def test_an_executor_that_is_away_is_waited_for(
    tool: str, faults: list[Any], tmp_path: Path
) -> None:
    script = Script(variables={"N": 1}, faults=list(faults))
    with serving(script, tmp_path / "api.sock") as address:
        bench = Bench(tmp_path, address, path=only(tmp_path, f"{tool} jq"))
        ran = bench.run(BASH, "cronium_increment_variable N")
    assert (ran.out, ran.err, ran.code) == ("2\n", "", 0)
    assert len(script.requests) == 3


@pytest.mark.parametrize("tool", ["nc.openbsd", "socat"])
def test_without_an_answer_in_time_it_is_said(tool: str, tmp_path: Path) -> None:
    script = Script(variables={"N": 1}, faults=["hang"] * 3)
    with serving(script, tmp_path / "api.sock") as address:
        bench = Bench(tmp_path, address, path=only(tmp_path, f"{tool} jq"))
        ran = bench.run(BASH, "_CRONIUM_WAIT=1; cronium_get_variable N || echo $?")
    assert ran.out == "1\n"
    assert "did not answer within 1 s" in ran.err


@pytest.mark.parametrize("tool", ["nc.openbsd", "socat"])
@pytest.mark.parametrize("size", [200_000, 800_000])
def test_what_is_too_large_is_refused_with_the_limit(
    tool: str, size: int, tmp_path: Path
) -> None:
    script = Script()
    with serving(script, tmp_path / "api.sock") as address:
        bench = Bench(tmp_path, address, path=only(tmp_path, f"{tool} jq"))
        ran = bench.run(BASH, f"cronium_output \"$(printf 'ü%.0s' $(seq {size}))\"")
    assert ran.err.startswith("Error: API Error (413): ")
    assert script.output is None


@pytest.mark.parametrize("tool", ["nc.openbsd", "socat"])
async def test_the_token_is_on_no_command_line(
    tool: str, channel: Channel, tmp_path: Path
) -> None:
    folder = Path(only(tmp_path, tool))
    real = (folder / tool).readlink()
    (folder / tool).unlink()
    (folder / tool).write_text(
        f'#!/bin/bash\nprintf "%s\\n" "$@" >> {tmp_path}/seen\nexec {real} "$@"\n'
    )
    (folder / tool).chmod(0o755)
    bench = Bench(tmp_path, str(tmp_path / "api.sock"), path=str(folder))
    ran = await asyncio.to_thread(
        bench.run, BASH, "set -x; cronium_increment_variable N"
    )
    assert ran.out == "1\n"
    assert "api.sock" in (tmp_path / "seen").read_text()
    assert TOKEN not in (tmp_path / "seen").read_text() + ran.err
