"""What follows an event's last try, on a real Temporal server with a scripted host."""

import asyncio
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowHandle

from contracts import limits, names
from contracts.deliveries import CallbackOrder, MessageOrder
from contracts.errors import DeliveryFailed, DeliveryRefused
from contracts.results import ExecutionResult, Status
from tests.stack import event
from tests.temporal.scripted import (
    FAILS,
    SUCCEEDS,
    TIMES_OUT,
    Script,
    Scripted,
    bounces,
    ends,
    never_arrives,
    runs_until_cancelled,
    vanishes,
)


def message(when: str, **fields: Any) -> dict[str, Any]:
    target = {"secret": "CHAT"}
    return {
        "kind": "message", "when": when, "targets": [target], "body": when, **fields,
    }  # fmt: skip


def callback(when: str, **fields: Any) -> dict[str, Any]:
    return {
        "kind": "callback", "when": when, "url": "https://example.invalid/hook",
        "secret": "KEY", **fields,
    }  # fmt: skip


def starts(when: str, **fields: Any) -> dict[str, Any]:
    return {"kind": "event", "when": when, "event": event("true", **fields)}


ONE_OF_EACH = [
    message("on_condition"),
    message("on_failure"),
    message("on_success"),
    message("always"),
    callback("always"),
]


def said(script: Script) -> list[str]:
    return [
        order.action.body if isinstance(order, MessageOrder) else "callback"
        for order in script.handed
    ]


def child_of(handle: WorkflowHandle[Any, Any], index: int) -> str:
    execution = names.execution_of(handle.id)
    assert execution is not None
    return names.action_id(execution, index)


async def started(
    server: Scripted, handle: WorkflowHandle[Any, Any], index: int
) -> ExecutionResult:
    identity = names.workflow_id("test", child_of(handle, index))
    child = server.client.get_workflow_handle(identity, result_type=ExecutionResult)
    return await asyncio.wait_for(child.result(), 30)


async def until_rows(
    handle: WorkflowHandle[Any, Any], statuses: list[str]
) -> list[dict[str, Any]]:
    """Return the rows once they stand as told: a query is all one can see of them."""
    async with asyncio.timeout(30):
        while True:
            rows: list[dict[str, Any]] = await handle.query("actions")
            if [row["status"] for row in rows] == statuses:
                return rows
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (SUCCEEDS, ["always", "callback", "on_success"]),
        (FAILS, ["always", "callback", "on_failure"]),
        (TIMES_OUT, ["always", "callback", "on_failure"]),
        (ends(Status.PARTIAL, 101), ["always", "callback", "on_failure"]),
        (
            ends(Status.SUCCESS, 0, condition=True),
            ["always", "callback", "on_success", "on_condition"],
        ),
        (
            ends(Status.FAILURE, 1, condition=True),
            ["always", "callback", "on_failure", "on_condition"],
        ),
        (
            ends(Status.SUCCESS, 0, condition=False),
            ["always", "callback", "on_success"],
        ),
    ],
)
async def test_actions_fire_in_order_after_each_kind_of_end(
    step: Any, expected: list[str], server: Scripted
) -> None:
    script = Script(run=[step])
    result, _ = await server.play(script, actions=ONE_OF_EACH)
    assert said(script) == expected
    assert [row.status for row in result.actions] == [Status.SUCCESS] * len(expected)
    assert [row.index for row in result.actions][:2] == [3, 4]


async def test_a_lost_run_counts_as_a_failure(server: Scripted) -> None:
    script = Script(run=[vanishes])
    result, _ = await server.play(script, answers=False, actions=ONE_OF_EACH)
    assert result.status is Status.LOST
    assert said(script) == ["always", "callback", "on_failure"]


async def test_actions_fire_once_after_the_last_try(server: Scripted) -> None:
    script = Script(run=[FAILS, FAILS, SUCCEEDS])
    result, _ = await server.play(
        script, retries=2, actions=[message("on_failure"), message("on_success")]
    )
    assert (result.status, result.attempts) == (Status.SUCCESS, 3)
    assert said(script) == ["on_success"]


async def test_rows_say_what_was_done(server: Scripted) -> None:
    script = Script(run=[ends(Status.SUCCESS, 0, output={"n": 7}), SUCCEEDS])
    actions = [message("always"), callback("always"), starts("always")]
    async with server.following(script):
        handle = await server.start(script, actions=actions, tags=["a"])
        result = await asyncio.wait_for(handle.result(), 30)
        child = await started(server, handle, 2)
        shown = await handle.query(
            "__temporal_workflow_metadata", result_type=WorkflowMetadata
        )
    assert "| 2 callback | always | SUCCESS | 1 | HTTP 204 |" in (
        shown.current_details.replace("\\", "")
    )
    sent, called, began = result.actions
    assert (sent.kind, sent.when, sent.notified, sent.attempts) == (
        "message", "always", 1, 1,
    )  # fmt: skip
    assert (called.http_status, began.execution_id) == (204, child.execution_id)
    note, post = script.handed
    assert isinstance(note, MessageOrder)
    assert (note.result.output, note.tags) == ({"n": 7}, ["a"])
    assert note.result.targets[0].output is None
    assert isinstance(post, CallbackOrder)
    assert post.delivery_id == child_of(handle, 1)
    assert post.result.targets[0].output == {"n": 7}
    run = script.runs[1].request
    assert (run.input, run.trigger, run.chain_depth) == ({"n": 7}, "action", 1)


async def test_the_end_is_recorded_before_the_actions_and_the_rows_after(
    server: Scripted,
) -> None:
    script = Script(run=[SUCCEEDS], hand=[never_arrives])
    async with server.following(script):
        handle = await server.start(script, actions=[message("always")])
        await asyncio.wait_for(script.handing.wait(), 30)
        (first,) = script.records
        assert (first.status, first.result and first.result.actions) == ("SUCCESS", [])
        await handle.cancel()
        await asyncio.wait_for(handle.result(), 30)
    first, second = script.records
    assert second.result is not None
    assert [row.status for row in second.result.actions] == [Status.CANCELLED]
    assert first.timestamp == second.timestamp


async def test_a_failing_action_changes_nothing_but_its_row(server: Scripted) -> None:
    script = Script(run=[SUCCEEDS], hand=[bounces(DeliveryRefused("answered 410"))])
    result, _ = await server.play(
        script, actions=[callback("always"), message("always")]
    )
    assert (result.status, result.error) == (Status.SUCCESS, None)
    failed, sent = result.actions
    assert failed.status is Status.FAILURE
    assert failed.error is not None
    assert (failed.error.type, failed.error.message) == (
        "DeliveryRefused", "answered 410",
    )  # fmt: skip
    assert failed.attempts == 1
    assert sent.status is Status.SUCCESS


async def test_a_delivery_is_tried_again_by_temporal(server: Scripted) -> None:
    away = bounces(DeliveryFailed("answered 503"))
    script = Script(run=[SUCCEEDS], hand=[away])
    result, _ = await server.play(script, actions=[callback("always", retries=1)])
    (row,) = result.actions
    assert (row.status, row.attempts, len(script.handed)) == (Status.SUCCESS, 2, 2)


async def test_tries_of_a_delivery_are_used_up(server: Scripted) -> None:
    away = bounces(DeliveryFailed("answered 503"))
    script = Script(run=[FAILS], hand=[away, away])
    result, _ = await server.play(script, actions=[callback("always", retries=1)])
    (row,) = result.actions
    assert (row.status, row.attempts, len(script.handed)) == (Status.FAILURE, 2, 2)
    assert row.error is not None
    assert row.error.retryable


async def test_an_action_that_hangs_holds_the_next_one_up_for_seconds_only(
    server: Scripted,
) -> None:
    script = Script(run=[SUCCEEDS], hand=[never_arrives])
    actions = [callback("always"), message("always")]
    async with server.following(script):
        handle = await server.start(script, actions=actions)
        await until_rows(handle, ["RUNNING", "SUCCESS"])
        await handle.cancel()
        result = await asyncio.wait_for(handle.result(), 30)
    assert result.status is Status.SUCCESS
    assert [row.status for row in result.actions] == ["CANCELLED", "SUCCESS"]


async def test_a_cancel_stops_what_has_not_been_done(server: Scripted) -> None:
    script = Script(run=[SUCCEEDS, SUCCEEDS], hand=[never_arrives])
    actions = [starts("always"), callback("always"), message("on_success")]
    async with server.following(script):
        handle = await server.start(script, actions=actions)
        await asyncio.wait_for(script.handing.wait(), 30)
        await handle.cancel()
        result = await asyncio.wait_for(handle.result(), 10)
        # What was started goes on: it is an execution of its own.
        assert (await started(server, handle, 0)).status is Status.SUCCESS
    assert result.status is Status.SUCCESS
    assert [row.status for row in result.actions] == [
        Status.SUCCESS, Status.CANCELLED, Status.CANCELLED,
    ]  # fmt: skip
    assert len(script.handed) == 1


async def test_a_cancelled_event_fires_always_alone(server: Scripted) -> None:
    script = Script(run=[runs_until_cancelled])
    async with server.following(script):
        handle = await server.start(script, actions=ONE_OF_EACH)
        await asyncio.wait_for(script.called.wait(), 30)
        await handle.cancel()
        result = await asyncio.wait_for(handle.result(), 30)
    assert result.status is Status.CANCELLED
    assert said(script) == ["always", "callback"]


async def test_a_started_event_outlives_a_parent_that_is_terminated(
    server: Scripted,
) -> None:
    script = Script(run=[SUCCEEDS, runs_until_cancelled], hand=[never_arrives])
    async with server.following(script):
        actions = [starts("always"), callback("always")]
        handle = await server.start(script, actions=actions)
        await asyncio.wait_for(script.handing.wait(), 30)
        await handle.terminate()
        identity = names.workflow_id("test", child_of(handle, 0))
        child = server.client.get_workflow_handle(identity)
        await child.cancel()
        assert (await started(server, handle, 0)).status is Status.CANCELLED


async def test_events_start_each_other_in_a_chain_that_ends(server: Scripted) -> None:
    script = Script(run=[SUCCEEDS, SUCCEEDS])
    last = starts("always", actions=[starts("always")])
    async with server.following(script):
        handle = await server.start(
            script, actions=[last], chain_depth=limits.MAX_CHAIN_DEPTH - 1
        )
        result = await asyncio.wait_for(handle.result(), 30)
        assert [row.status for row in result.actions] == [Status.SUCCESS]
        child = await started(server, handle, 0)
    (row,) = child.actions
    assert (child.status, row.status) == (Status.SUCCESS, Status.FAILURE)
    assert row.error is not None
    assert row.error.type == "ChainTooDeep"
    assert "10 events have started each other" in row.error.message
    assert len(script.runs) == 2


async def test_an_output_that_is_too_large_for_an_input_is_told(
    server: Scripted,
) -> None:
    output = "x" * (limits.MAX_INPUT_BYTES + 1)
    script = Script(run=[ends(Status.SUCCESS, 0, output=output)])
    result, _ = await server.play(script, actions=[starts("always")])
    (row,) = result.actions
    assert row.error is not None
    assert (row.status, row.error.type) == (Status.FAILURE, "RequestRefused")
    assert row.error.message.startswith("input: input may have at most")


async def test_a_workflow_that_is_reset_does_not_start_the_event_anew(
    server: Scripted,
) -> None:
    script = Script(run=[SUCCEEDS, SUCCEEDS, SUCCEEDS])
    async with server.following(script):
        handle = await server.start(script, actions=[starts("always")])
        await asyncio.wait_for(handle.result(), 30)
        child = await started(server, handle, 0)
        history = await handle.fetch_history()
        first = next(
            item.event_id
            for item in history.events
            if item.HasField("workflow_task_completed_event_attributes")
        )
        await server.client.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace=server.client.namespace,
                workflow_execution=WorkflowExecution(
                    workflow_id=handle.id, run_id=handle.result_run_id or ""
                ),
                reason="a test",
                workflow_task_finish_event_id=first,
                request_id="reset-" + handle.id,
            )
        )
        anew = server.client.get_workflow_handle(handle.id, result_type=ExecutionResult)
        result = await asyncio.wait_for(anew.result(), 30)
    (row,) = result.actions
    assert (row.status, row.execution_id) == (Status.SUCCESS, child.execution_id)
    assert len(script.runs) == 3  # the event twice, since it was reset; the other once


async def test_without_actions_nothing_is_added_to_the_history(
    server: Scripted,
) -> None:
    script = Script(run=[SUCCEEDS])
    result, handle = await server.play(script, actions=[message("on_failure")])
    plain, other = await server.play(Script(run=[SUCCEEDS]))
    assert (result.actions, plain.actions) == ([], [])
    kinds = [
        [item.event_type for item in (await one.fetch_history()).events]
        for one in (handle, other)
    ]
    assert kinds[0] == kinds[1]
    assert len(script.records) == 1
