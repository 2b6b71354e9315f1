"""The senders of docs/webhooks.md start executions."""

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from tests.gateway.conftest import PATIENCE, Start
from tests.gateway.hooks import asked, new_hook
from worker.starts import TemporalStarts

PAGE = Path(__file__).parents[2] / "docs" / "webhooks.md"
BLOCK = re.compile(r"^```(\w+) sender\n(.*?)^```", re.M | re.S)
RUN = {
    "python": (
        [sys.executable, "-c"],
        "\nimport sys\n_, url, secret, value = sys.argv\n"
        "print(json.dumps(call(url, secret, json.loads(value))))",
    ),
    "javascript": (
        ["node", "-e"],
        "const [u, s, v] = process.argv.slice(1);\n"
        "call(u, s, JSON.parse(v)).then((a) => console.log(JSON.stringify(a)));",
    ),
    "bash": (["bash", "-c"], '\ncall "$@"'),
}


@pytest.mark.parametrize("language", list(RUN))
async def test_the_pages_sender_starts_an_execution(
    start: Start, starts: TemporalStarts, client: Client, language: str
):
    gateway = await start(starts=starts)
    sender = await new_hook(gateway)
    code = dict(BLOCK.findall(PAGE.read_text()))[language]
    program, call = RUN[language]
    name = ["sender"] if language == "bash" else []
    value: Any = {"ref": "main", "ü": [1, None]}
    process = await asyncio.create_subprocess_exec(
        *program,
        code + call,
        *name,
        f"http://127.0.0.1:{gateway.server.port}{sender.path}",
        sender.secret,
        json.dumps(value, ensure_ascii=False),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    answer = json.loads(out)
    assert (await asked(client, answer["workflowId"])).input == value


def test_there_is_a_sender_in_each_language():
    assert [language for language, _ in BLOCK.findall(PAGE.read_text())] == list(RUN)
