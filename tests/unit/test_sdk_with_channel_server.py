"""The helper against the worker's own channel server, not the suite's."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from engines.channel import ChannelRun, ChannelServer
from tests.compat.cases import CASES
from tests.compat.channel import EVENT, EXECUTION, TOKEN
from tests.compat.script import Bench
from tests.compat.steps import Case
from tests.unit.channel import MemoryVariables

USER = "ann"
SINGLE_TYPE = ": type:"


class Variables(MemoryVariables):
    """A store that appends to lists as well."""

    async def append(
        self, user: str, key: str, value: Any, separator: str = "", *, once: str = ""
    ) -> Any:
        known = self.values.get((user, key))
        if not isinstance(known, list):
            return await super().append(user, key, value, separator, once=once)
        self.values[user, key] = [*known, value]
        return self.values[user, key]


def chosen() -> list[Case]:
    """Every call in every style; of the types, those that are in one script."""
    return [case for case in CASES if SINGLE_TYPE not in case.id]


@pytest.mark.parametrize("case", chosen(), ids=lambda case: case.id)
async def test_the_script_runs_as_promised(case: Case, tmp_path: Path) -> None:
    store = Variables()
    store.values = {(USER, key): value for key, value in case.before.items()}
    found: dict[str, list[dict[str, Any]]] = {"logs": [], "progress": [], "actions": []}

    async def act(tool: str, action: str, config: dict[str, Any]) -> Any:
        found["actions"].append({"tool": tool, "action": action, "config": config})
        return {"sent": True, "tool": tool}

    run = ChannelRun(
        execution_id=EXECUTION,
        user=USER,
        token=TOKEN,
        state_file=tmp_path / "state" / "run.json",
        input=json.dumps(case.input).encode(),
        context=EVENT,
        tool_action=act,
        on_log=lambda level, message, fields: found["logs"].append(
            {"level": str(level), "message": message, "fields": fields}
        ),
        on_progress=lambda progress: found["progress"].append(
            {"fraction": progress.fraction, "text": progress.text}
        ),
    )
    server, socket = ChannelServer(store), tmp_path / "api.sock"
    channel = await server.open(run, socket)
    try:
        bench = Bench(tmp_path, str(socket))
        ran = await asyncio.to_thread(bench.run, case.language, case.script)
    finally:
        state = await server.close(channel)
    assert (ran.code, ran.err, ran.out) == (0, "", case.stdout)
    have = {
        **found,
        "variables": {key: value for (_, key), value in store.values.items()},
        "output": None if state.output is None else json.loads(state.output),
        "condition": state.condition,
    }
    assert {name: have[name] for name in case.after} == case.after
