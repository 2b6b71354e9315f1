"""Errors that nobody foresaw: a script that was started is never started again."""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from activities.dialogue import Dialogue
from activities.output import Output
from contracts.errors import EngineUnavailable
from contracts.results import Status
from engines.docker.rundir import RunDirectories
from engines.http import HttpEngine
from tests.http_servers import ok, serving
from tests.stack import Stack, event

COUNT = "cronium_increment_variable STARTED; echo secret-in-a-message; exit 3"
SECRET = "a value that a script was given"


def breaks_once(
    monkeypatch: pytest.MonkeyPatch, owner: type, name: str, error: Exception
) -> list[str]:
    """Have the next call of a coroutine method fail; return who was called."""
    whole: Callable[..., Awaitable[Any]] = getattr(owner, name)
    calls: list[str] = []

    async def method(self: Any, *args: Any, **more: Any) -> Any:
        calls.append(name)
        if len(calls) == 1:
            raise error
        return await whole(self, *args, **more)

    monkeypatch.setattr(owner, name, method)
    return calls


async def started(stack: Stack, user: str) -> Any:
    read = "import cronium\ncronium.output(cronium.get_variable('STARTED'))"
    return (await stack.run(event(read, type="python"), user=user)).output


@pytest.mark.parametrize(
    ("owner", "name"), [(Output, "drain"), (Output, "keep_up"), (Dialogue, "end")]
)
async def test_a_fault_after_the_start_costs_neither_result_nor_a_second_run(
    owner: type, name: str, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = f"fault-{name}"
    calls = breaks_once(monkeypatch, owner, name, ValueError(SECRET))
    result = await stack.run(event(COUNT), user=user)
    assert calls
    assert (result.status, result.exit_code, result.attempts) == ("FAILURE", 3, 1)
    assert await started(stack, user) == 1
    lines = await stack.logs(result.execution_id)
    assert [li["text"] for li in lines if li["stream"] == "stdout"] == [
        "1",
        "secret-in-a-message",
    ]
    assert await stack.gone(result.execution_id)


async def test_going_on_may_fail_and_leaves_no_second_channel_open(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks_once(monkeypatch, Output, "drain", ValueError(SECRET))
    breaks_once(monkeypatch, Output, "read_again", EngineUnavailable())
    result = await stack.run(event(COUNT), user="fault-twice")
    assert (result.status, result.exit_code) == ("FAILURE", 3)
    assert await started(stack, "fault-twice") == 1
    assert stack.app._host is not None
    assert not stack.app._host._channels._channels


async def test_a_fault_before_the_start_is_told_by_its_name_alone(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def attach(*_: Any) -> None:
        raise ValueError(SECRET)

    monkeypatch.setattr(Output, "attach", attach)
    handle = await stack.start(event("true"))
    result = await handle.result()
    assert SECRET not in (await handle.fetch_history()).to_json()
    assert (result.status, result.attempts) == (Status.FAILURE, 1)
    assert result.error is not None
    assert result.error.type == "WorkerFault"
    assert "ValueError" in result.error.message
    assert await stack.gone(result.execution_id)
    lines = await stack.logs(result.execution_id)
    assert any("ValueError" in line["text"] for line in lines)
    left = [s for s in stack.app._spools.spools.values() if s.writer]
    assert [s.name for s in left] == ["executions"]


async def test_a_run_directory_that_is_full_is_waited_for(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, seen = RunDirectories.fill, list[Path]()

    def fill(self: RunDirectories, key: str, **more: Any) -> Path:
        directory = whole(self, key, **more)
        seen.append(directory)
        # The directory of a sandbox that waited, then one that is made anew.
        if len(seen) <= 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return directory

    monkeypatch.setattr(RunDirectories, "fill", fill)
    result = await stack.run(event("echo hi"))
    assert (result.status, result.attempts, len(seen)) == (Status.SUCCESS, 1, 3)
    assert not seen[0].exists()
    assert not seen[1].exists()


async def test_a_container_that_somebody_removes_before_the_start_is_made_anew(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Output.attach
    removed: list[str] = []

    async def attach(self: Output, sandbox: Any) -> None:
        await whole(self, sandbox)
        if not removed:
            removed.append(sandbox.name)
            stack.docker.remove_container(sandbox.name, force=True)

    monkeypatch.setattr(Output, "attach", attach)
    result = await stack.run(event("echo hi"))
    assert (result.status, result.attempts) == (Status.SUCCESS, 1)
    lines = await stack.logs(result.execution_id)
    assert any("removed by somebody else" in line["text"] for line in lines)


@pytest.mark.parametrize("idempotent", [False, True])
async def test_a_container_that_somebody_removes_while_it_runs_is_a_lost_run(
    idempotent: bool, stack: Stack
) -> None:
    user = f"removed-{idempotent}"
    slow = 'if [ "$(cronium_increment_variable STARTED)" = 1 ]; then sleep 600; fi'
    run = await stack.start(
        event(slow, idempotent=idempotent), user=user, execution_id=user
    )
    async with asyncio.timeout(60):
        while await started(stack, user) != 1:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    for found in stack.containers(user):
        stack.docker.remove_container(found["Id"], force=True)
    result = await run.result()
    if idempotent:
        assert (result.status, result.exit_code) == (Status.SUCCESS, 0)
    else:
        assert (result.status, result.exit_code) == (Status.LOST, None)
        assert result.error is not None
        assert result.error.type == "HostLost"
        assert "removed by somebody else" in result.error.message
        assert result.error.hint
    assert await started(stack, user) == (2 if idempotent else 1)


async def test_a_request_that_was_sent_is_not_sent_again_after_a_fault(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = HttpEngine.send

    async def send(self: HttpEngine, *args: Any, **more: Any) -> Any:
        await whole(self, *args, **more)
        raise ValueError(SECRET)

    monkeypatch.setattr(HttpEngine, "send", send)
    async with serving(ok()) as server:
        body = event(
            None, type="http_request", http={"url": server.url, "method": "POST"}
        )
        result = await stack.run(body)
        assert result.status is Status.LOST, result
        assert len(server.seen) == 1
    assert SECRET not in result.model_dump_json()
