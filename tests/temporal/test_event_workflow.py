"""The way of one event through a real Temporal server, Docker Engine and gateway."""

import asyncio
import contextlib
import time
from typing import Any

import docker
import pytest
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError

from contracts import names
from contracts.results import ExecutionResult, Status
from tests.stack import Stack, event


async def execution_of(handle: WorkflowHandle[Any, Any]) -> str:
    found = names.execution_of(handle.id)
    assert found is not None
    return found


async def wait_for_line(stack: Stack, execution: str, text: str) -> None:
    """Return when a container of the execution has printed a line."""
    async with asyncio.timeout(30):
        while True:
            for container in stack.containers(execution):
                # One that trouble of the engine has replaced may go meanwhile.
                with contextlib.suppress(docker.errors.NotFound):
                    if text.encode() in stack.docker.logs(container["Id"]):
                        return
            await asyncio.sleep(0.05)


def statuses(rows: list[dict[str, Any]]) -> list[str]:
    return [row["status"] for row in rows]


async def problems_of(stack: Stack, body: dict[str, Any]) -> dict[str, str]:
    """Start a malformed event and return its problems by path."""
    with pytest.raises(WorkflowFailureError) as caught:
        async with asyncio.timeout(20):
            await stack.run(body)
    cause = caught.value.cause
    assert isinstance(cause, ApplicationError)
    assert cause.type == names.PAYLOAD_ERROR_TYPE
    return {item["path"]: item["message"] for item in cause.details[0]}


@pytest.mark.parametrize(
    ("kind", "script"),
    [
        ("bash", "echo one; echo two >&2; cat $CRONIUM_RUN_DIR/input.json"),
        (
            "python",
            "import sys, json\nprint('one')\nprint('two', file=sys.stderr)\n"
            "print(open('/run/cronium/input.json').read())",
        ),
        (
            "nodejs",
            "console.log('one'); console.error('two');"
            "console.log(require('fs').readFileSync('/run/cronium/input.json','utf8'))",
        ),
    ],
)
async def test_a_script_runs_and_gives_a_typed_result(
    kind: str, script: str, stack: Stack
) -> None:
    result = await stack.run(event(script, type=kind), input={"region": "north"})
    assert (result.status, result.exit_code, result.attempts) == (Status.SUCCESS, 0, 1)
    assert result.logs.lines == 3
    assert result.durations.execution_ms > 0
    lines = await stack.logs(result.execution_id)
    texts = {(line["stream"], line["text"]) for line in lines}
    assert {
        ("stdout", "one"),
        ("stderr", "two"),
        ("stdout", '{"region":"north"}'),
    } <= texts
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert len(lines) == result.logs.stored
    assert await stack.gone(result.execution_id)


async def test_a_failing_script_with_two_retries_runs_three_times(
    stack: Stack,
) -> None:
    handle = await stack.start(
        event(
            "echo try $CRONIUM_ATTEMPT; exit 4",
            retries=2,
            backoff={"initialSeconds": 1},
        )
    )
    begin = time.monotonic()
    result: ExecutionResult = await handle.result()
    assert time.monotonic() - begin >= 3  # 1 s, then 2 s
    assert (result.status, result.exit_code, result.attempts) == (Status.FAILURE, 4, 3)
    assert result.error is not None
    assert result.error.type == "ScriptFailed"
    lines = await stack.logs(result.execution_id)
    tries = [
        (line["attempt"], line["text"]) for line in lines if line["stream"] == "stdout"
    ]
    assert tries == [(1, "try 1"), (2, "try 2"), (3, "try 3")]
    history = await handle.fetch_history()
    summaries = [
        item.user_metadata.summary.data.decode()
        for item in history.events
        if item.HasField("activity_task_scheduled_event_attributes")
    ]
    assert [text.strip('"')[-9:] for text in summaries] == [
        "(try 1/3)",
        "(try 2/3)",
        "(try 3/3)",
    ]


async def test_a_success_after_a_failure_ends_the_tries(stack: Stack) -> None:
    result = await stack.run(event("test $CRONIUM_ATTEMPT = 2", retries=5))
    assert (result.status, result.attempts) == (Status.SUCCESS, 2)


async def test_a_script_that_ignores_term_times_out_with_its_output(
    stack: Stack,
) -> None:
    handle = await stack.start(
        event(
            "trap '' TERM; echo before; printf partial; sleep 60",
            timeoutSeconds=2,
            graceSeconds=1,
        )
    )
    begin = time.monotonic()
    result: ExecutionResult = await handle.result()
    took = time.monotonic() - begin
    assert (result.status, result.exit_code) == (Status.TIMEOUT, -1)
    assert took < 2 + 1 + 2 + 3  # limit, grace, the promise, and set-up on a busy host
    assert 2000 <= result.durations.execution_ms < 5000
    lines = await stack.logs(result.execution_id)
    out = [line["text"] for line in lines if line["stream"] == "stdout"]
    assert out == ["before", "partial"]
    assert stack.containers(result.execution_id) == []


async def test_a_cancelled_run_ends_cancelled_with_its_container_gone(
    stack: Stack,
) -> None:
    handle = await stack.start(
        event("trap '' TERM; echo up; sleep 60 & wait; sleep 60", graceSeconds=1)
    )
    execution = await execution_of(handle)
    await wait_for_line(stack, execution, "up")
    begin = time.monotonic()
    await handle.cancel()
    result: ExecutionResult = await handle.result()
    assert time.monotonic() - begin < 1 + 2 + 1
    assert (result.status, result.exit_code) == (Status.CANCELLED, -2)
    assert stack.containers(execution) == []
    assert "up" in [line["text"] for line in await stack.logs(execution)]


@pytest.mark.parametrize(
    "delay", [0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5]
)
async def test_a_cancel_at_any_moment_leaves_no_container(
    delay: float, stack: Stack
) -> None:
    handle = await stack.start(event("sleep 0.2", graceSeconds=1))
    await asyncio.sleep(delay)
    await handle.cancel()
    async with asyncio.timeout(10):
        result: ExecutionResult = await handle.result()
    assert result.status in (Status.CANCELLED, Status.SUCCESS)
    assert await stack.gone(result.execution_id)


async def test_a_cancel_while_pulling_ends_at_once(stack: Stack) -> None:
    pulled = asyncio.Event()

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pulled.set()
        await reader.read()
        writer.close()

    registry = await asyncio.start_server(stall, "127.0.0.1", 0)
    port = registry.sockets[0].getsockname()[1]
    handle = await stack.start(event("true", image=f"127.0.0.1:{port}/stalled:1"))
    await asyncio.wait_for(pulled.wait(), 20)
    begin = time.monotonic()
    await handle.cancel()
    result: ExecutionResult = await handle.result()
    assert result.status is Status.CANCELLED
    assert time.monotonic() - begin < 4
    registry.close()


async def test_a_cancel_during_the_back_off_ends_at_once(stack: Stack) -> None:
    handle = await stack.start(
        event("exit 1", retries=1, backoff={"initialSeconds": 60})
    )
    async with asyncio.timeout(20):
        # A query is the only way to see this from outside.
        while statuses(await handle.query("progress")) != ["FAILURE"]:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    await handle.cancel()
    result: ExecutionResult = await handle.result()
    assert result.status is Status.CANCELLED


async def test_an_image_that_cannot_be_had_is_a_failure_with_a_hint(
    stack: Stack,
) -> None:
    result = await stack.run(event("true", image="127.0.0.1:9/nothing:1"), user="u1")
    assert result.status is Status.FAILURE
    assert result.error is not None
    assert result.error.type in ("ImagePullFailed", "ImageMissing")
    assert result.error.hint


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        ({"scirpt": "x"}, "event.scirpt", "did you mean script"),
        ({"timeoutSeconds": -1}, "event.timeoutSeconds", "greater than 0"),
        ({"type": "perl"}, "event.type", "bash"),
        ({"script": None}, "event", "needs a script"),
        ({"retries": 11}, "event.retries", "10"),
        ({"resources": {"memoryMb": "lots"}}, "event.resources.memoryMb", "integer"),
        ({"env": [{"name": "A B", "value": "1"}]}, "event.env[0].name", "pattern"),
        ({"env": [{"name": "A", "value": "\0"}]}, "event.env[0].value", "NUL"),
        ({"script": "x" * 1_100_000}, "event.script", "1048576"),
    ],
)
async def test_a_malformed_start_fails_at_once_with_the_path(
    change: dict[str, Any], path: str, words: str, stack: Stack
) -> None:
    problems = await problems_of(stack, {**event("echo hi"), **change})
    assert words in problems[path]


async def test_a_malformed_start_leaves_other_runs_alone(stack: Stack) -> None:
    good = await stack.start(event("sleep 1; echo fine"))
    await problems_of(stack, {"id": "bad"})
    result: ExecutionResult = await good.result()
    assert result.status is Status.SUCCESS


async def test_a_refused_value_is_never_echoed(stack: Stack) -> None:
    planted = "planted-secret-value"
    with pytest.raises(WorkflowFailureError) as caught:
        await stack.run(
            event("x", env=[{"name": "A", "value": planted, "bad": planted}])
        )
    cause = caught.value.cause
    assert isinstance(cause, ApplicationError)
    assert planted not in f"{cause} {cause.details}"


async def test_a_request_above_a_ceiling_fails_with_both_numbers(stack: Stack) -> None:
    with pytest.raises(WorkflowFailureError) as caught:
        await stack.run(event("true", resources={"memoryMb": 9000}))
    cause = caught.value.cause
    assert isinstance(cause, ApplicationError)
    assert cause.type == "CeilingExceeded"
    assert "event.resources.memoryMb: 9000" in cause.message


async def test_a_missing_secret_is_a_failure_that_names_it(stack: Stack) -> None:
    result = await stack.run(event("true", env=[{"name": "A", "secret": "NO_SUCH"}]))
    assert result.status is Status.FAILURE
    assert result.error is not None
    assert result.error.type == "SecretUnavailable"
    assert "NO_SUCH" in result.error.message


async def test_a_double_start_runs_once(stack: Stack) -> None:
    body = event("echo once")
    first = await stack.start(body, execution_id="double-start")
    second = await stack.start(body, execution_id="double-start")
    assert (await first.describe()).run_id == (await second.describe()).run_id
    result: ExecutionResult = await first.result()
    assert result.logs.lines == 1


async def test_search_attributes_and_texts_make_a_run_readable(stack: Stack) -> None:
    handle = await stack.start(event("exit 5", tags=["nightly"]), user="u-9")
    await handle.result()
    described = await handle.describe()
    attributes = {
        pair.key.name: pair.value for pair in described.typed_search_attributes
    }
    assert attributes[names.ATTRIBUTE_EVENT] == "test"
    assert attributes[names.ATTRIBUTE_USER] == "u-9"
    assert attributes[names.ATTRIBUTE_STATUS] == "FAILURE"
    assert attributes[names.ATTRIBUTE_EXIT_CODE] == 5
    assert attributes[names.ATTRIBUTE_TAGS] == ["nightly"]
    metadata = await handle.query("__temporal_workflow_metadata")
    text = metadata["currentDetails"] if isinstance(metadata, dict) else str(metadata)
    assert "FAILURE" in text
    assert "/logs/" in text


async def test_oom_process_limit_and_full_tmp_are_results_of_their_own(
    stack: Stack,
) -> None:
    cases = {
        "OutOfMemory": "x = bytearray(400 << 20)",
        "TmpFull": "open('/tmp/f', 'wb').write(bytes(90 << 20))",
        "ProcessLimit": "import subprocess\n"
        "[subprocess.Popen(['sleep', '9']) for _ in range(99)]",
    }
    results = await asyncio.gather(
        *(
            stack.run(
                event(
                    script,
                    type="python",
                    resources={"memoryMb": 256, "pids": 32, "tmpMb": 64, "cpus": 1},
                )
            )
            for script in cases.values()
        )
    )
    types = [result.error.type for result in results if result.error]
    assert types == list(cases)
