"""Who ran what, where, with which secrets: written down, and no value among it."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError

from contracts.results import Status
from tests.e2e.planted import Search
from tests.http_servers import ok, serving
from tests.stack import Stack, event
from worker.audit import OFF, write_audit

PLANTED = {
    "OF_ENV": "pl4nted/of-the-env+1",
    "OF_AUTH": "pl4nted/of-the-auth+2",
    "OF_INPUT": "pl4nted/of-the-input+3",
    "OF_PLAIN": "pl4nted/of-a-plain-variable+4",
}


@pytest.fixture
def file(tmp_path: Path, stack: Stack) -> Iterator[Path]:
    for name in ("OF_ENV", "OF_AUTH"):
        (stack.settings.state_dir / "secrets" / name).write_text(PLANTED[name])
    file = tmp_path / "audit.jsonl"
    write_audit(str(file))
    yield file
    write_audit(OFF)


def lines_of(file: Path, execution: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in file.read_text().splitlines()]
    return [line for line in found if line.get("executionId") == execution]


def nothing_planted(file: Path) -> None:
    search = Search(PLANTED)
    search.bytes("audit log", file.read_bytes())
    assert search.looked_at["audit log"] > 0
    assert search.found == []


async def test_a_script_leaves_its_start_and_end(stack: Stack, file: Path) -> None:
    result = await stack.run(
        event(
            'echo "$TOKEN $PLAIN"; cronium-nothing 2>/dev/null; exit 3',
            env=[
                {"name": "TOKEN", "secret": "OF_ENV"},
                {"name": "PLAIN", "value": PLANTED["OF_PLAIN"]},
            ],
        ),
        execution_id="audited-1",
        user="ann",
        input={"password": PLANTED["OF_INPUT"]},
    )
    assert result.exit_code == 3
    started, begun, ended, over = lines_of(file, "audited-1")
    assert [line["kind"] for line in (started, begun, ended, over)] == [
        *("executionStarted", "tryStarted", "tryEnded", "executionEnded"),
    ]
    for line in (started, begun, ended, over):
        assert (line["user"], line["eventId"]) == ("ann", "test")
        assert line["trigger"] == "manual"
    assert started["secrets"] == begun["secrets"] == ["OF_ENV"]
    host = stack.settings.resolve_host_id()
    assert (begun["host"], begun["target"], begun["attempt"]) == (host, "local", 1)
    assert begun["workflowId"] == "event:test:audited-1"
    assert (ended["status"], ended["exitCode"]) == ("FAILURE", 3)
    assert ended["error"] == over["error"] == "ScriptFailed"
    assert over["status"] == "FAILURE"
    nothing_planted(file)


async def test_a_request_names_its_secrets(stack: Stack, file: Path) -> None:
    async with serving(ok(b"{}")) as server:
        result = await stack.run(
            event(
                None,
                type="http_request",
                http={
                    "url": server.url,
                    "auth": {"kind": "bearer", "token": {"secret": "OF_AUTH"}},
                },
            ),
            execution_id="audited-2",
        )
    assert result.status is Status.SUCCESS
    found = lines_of(file, "audited-2")
    assert [line["kind"] for line in found] == [
        *("executionStarted", "tryStarted", "tryEnded", "executionEnded"),
    ]
    assert found[1]["secrets"] == ["OF_AUTH"]
    assert found[1]["eventType"] == "http_request"
    nothing_planted(file)


async def test_a_cancel_and_a_refusal_are_written_down(
    stack: Stack, file: Path
) -> None:
    handle = await stack.start(event("echo up; sleep 60"), execution_id="audited-3")
    async with asyncio.timeout(60):
        while not lines_of(file, "audited-3")[1:]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        while not stack.containers("audited-3"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await handle.cancel()
    assert (await handle.result()).status is Status.CANCELLED
    cancelled = lines_of(file, "audited-3")
    kinds = [line["kind"] for line in cancelled]
    assert kinds[:2] == ["executionStarted", "tryStarted"]
    assert kinds[-1] == "executionEnded"
    assert cancelled[-1]["status"] == "CANCELLED"
    assert "tryCancelled" in kinds

    greedy = event("true", resources={"memoryMb": 60_000})
    with pytest.raises(WorkflowFailureError):
        await stack.run(greedy, execution_id="audited-4")
    (refused,) = lines_of(file, "audited-4")
    assert refused["kind"] == "executionRefused"
    assert refused["error"] == "CeilingExceeded"
