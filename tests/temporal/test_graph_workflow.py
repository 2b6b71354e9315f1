"""Graphs on a real Temporal server, with activities that do as a test says."""

import asyncio
import math
import os
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import (
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
)

from contracts import names
from contracts.deliveries import CallbackOrder
from contracts.limits import MAX_PART_ITEMS
from contracts.results import Status
from contracts.runs import RunOutcome, RunRequest
from tests.temporal.scripted import FAILS, SUCCEEDS, Script, Scripted, ends, servers

EVENT = {"type": "bash", "script": "true"}
# More than two parts by default; the most that a map may have with
# CRONIUM_MAP_ITEMS=10000, for some minutes.
MAP_ITEMS = int(os.environ.get("CRONIUM_MAP_ITEMS", "1050"))
NAMED = {"id": "other", "name": "other", "type": "bash"}


def gives(output: Any, **fields: Any) -> Any:
    return ends(Status.SUCCESS, 0, output=output, **fields)


async def test_a_chain_of_three_hands_a_nested_object_along(server: Scripted) -> None:
    found = {"rows": [{"id": 1, "tags": ["a", None, True]}], "n": 1.5}
    script = Script(
        nodes={"a": [gives(found)], "b": [gives({"from": found})], "c": [gives("end")]}
    )
    graph = {
        "nodes": {
            "a": {"event": EVENT},
            "b": {"event": EVENT, "after": "a"},
            "c": {"event": EVENT, "after": "b"},
        }
    }
    result, _ = await server.play_graph(script, graph, input={"start": 1})
    assert result.status is Status.SUCCESS
    inputs = {run.target: run.request.input for run in script.runs}
    assert inputs == {"a": {"start": 1}, "b": found, "c": {"from": found}}
    assert result.output == "end"


async def test_a_failure_skips_what_follows_and_fails_the_run(server: Scripted) -> None:
    script = Script(nodes={"a": [FAILS]})
    graph = {"nodes": {"a": {"event": EVENT}, "b": {"event": EVENT, "after": "a"}}}
    result, _ = await server.play_graph(script, graph)
    assert result.status is Status.FAILURE
    assert [row.status for row in result.nodes] == [Status.FAILURE, Status.SKIPPED]
    assert result.nodes[1].error is not None
    assert "a (on_success)" in result.nodes[1].error.message


async def refused(server: Scripted, graph: dict[str, Any], **fields: Any) -> Any:
    with pytest.raises(WorkflowFailureError) as failure:
        await server.play_graph(Script(nodes={}), graph, **fields)
    return failure.value.cause


async def test_a_graph_that_is_none_is_refused_before_anything_runs(
    server: Scripted,
) -> None:
    cause = await refused(server, {"nodes": {"a": {"event": EVENT, "after": "a"}}})
    assert cause.type == names.PAYLOAD_ERROR_TYPE
    assert "a comes after itself" in str(cause.details)


async def test_an_expression_that_cannot_be_read_refuses_the_run(
    server: Scripted,
) -> None:
    nodes = {"a": {"event": EVENT}, "b": {"event": EVENT, "input": "{{ nodes.a }}"}}
    cause = await refused(server, {"nodes": nodes})
    assert cause.type == "RequestRefused"
    assert cause.details[0][0]["path"] == "workflow.nodes[1].input"


async def test_orders_that_make_no_sense_are_refused_with_a_reason(
    server: Scripted,
) -> None:
    nodes = {
        "ok": {"kind": "approval", "approvers": ["ada"]},
        "a": {"event": EVENT},
        "b": {"event": EVENT, "after": "ok"},
    }
    script = Script(nodes={}, heartbeat=30)
    async with server.following(script):
        handle = await server.start_graph({"nodes": nodes})
        await stand(handle, {"ok": "RUNNING", "a": "SUCCESS"})
        for update, order, words in (
            ("decide", {"node": "ok", "approved": True, "by": "bob"}, "bob may not"),
            ("decide", {"node": "a", "approved": True, "by": "ada"}, "no approval"),
            ("decide", {"node": "zz", "approved": True, "by": "ada"}, "no node has"),
            ("skip_node", {"node": "a", "by": "ada"}, "a has ended"),
            ("retry_node", {"node": "a", "by": "ada"}, "a has not failed"),
            ("retry_node", {"node": "b", "by": "ada"}, "a has not failed"),
        ):
            with pytest.raises(WorkflowUpdateFailedError) as failure:
                await handle.execute_update(update, order)
            assert words.replace("a has not", f"{order['node']} has not") in str(
                failure.value.cause
            )
        yes = {"node": "ok", "approved": True, "by": "ada", "why": "tests"}
        await handle.execute_update("decide", yes)
        result = await asyncio.wait_for(handle.result(), 60)
    assert result.status is Status.SUCCESS
    assert result.nodes[0].output["by"] == "ada"


async def test_the_gateway_gets_one_record_with_a_row_per_node(
    server: Scripted,
) -> None:
    script = Script(nodes={"a": [gives(1)]})
    nodes = {"a": {"event": EVENT}, "w": {"kind": "wait", "seconds": 0, "after": "a"}}
    result, handle = await server.play_graph(script, {"nodes": nodes})
    (record,) = script.records
    assert record.workflow_id == handle.id
    assert (record.event_type, record.status) == ("workflow", Status.SUCCESS)
    assert record.result is not None
    assert [row.target for row in record.result.targets] == ["a", "w"]
    assert record.result.logs.stored == result.logs.stored == 11


async def test_activities_carry_priority_and_the_user_as_fairness_key(
    server: Scripted,
) -> None:
    seen: list[tuple[Any, Any]] = []

    async def looks(run: RunRequest) -> RunOutcome:
        priority = activity.info().priority
        seen.append((priority.priority_key, priority.fairness_key))
        return await SUCCEEDS(run)

    script = Script(nodes={}, otherwise=looks)
    graph = {
        "nodes": {
            "a": {"event": EVENT},
            "sub": {"kind": "workflow", "workflow": {"nodes": {"x": {"event": EVENT}}}},
        }
    }
    await server.play_graph(script, graph, user="ada", priority=2)
    assert seen == [(2, "ada"), (2, "ada")]


async def test_a_node_takes_few_events_of_history_and_always_as_many(
    server: Scripted,
) -> None:
    counts = []
    for length in (5, 20):
        nodes = {
            f"n{i}": {"event": EVENT, "after": [f"n{i - 1}"] if i else []}
            for i in range(length)
        }
        _, handle = await server.play_graph(
            Script(nodes={}, heartbeat=30), {"nodes": nodes}
        )
        counts.append((await handle.describe()).history_length)
    per_node = (counts[1] - counts[0]) / 15
    # Scheduled, started, completed, and three of the workflow task that decides.
    assert per_node <= 6


@pytest.mark.timeout(180 + MAP_ITEMS / 10)
async def test_a_long_map_begins_its_history_anew_and_keeps_the_order(
    server: Scripted,
) -> None:
    count = MAP_ITEMS

    async def doubles(run: RunRequest) -> RunOutcome:
        status = Status.FAILURE if run.request.input in (3, 777) else Status.SUCCESS
        output = None if status is Status.FAILURE else run.request.input * 2
        return await ends(status, 0, output=output)(run)

    script = Script(nodes={}, otherwise=doubles, heartbeat=60)
    each = {
        "kind": "map",
        "items": list(range(count)),
        "event": EVENT,
        "parallel": 100,
        "maxFailures": 2,
    }
    result, handle = await server.play_graph(
        script, {"nodes": {"m": each}}, patience=170 + count / 20
    )
    (row,) = result.nodes
    assert row.status is Status.SUCCESS, row.error
    assert row.output == [None if n in (3, 777) else n * 2 for n in range(count)]
    assert row.failed_items == [3, 777]
    assert row.counts is not None
    assert (row.counts.succeeded, row.counts.failed) == (count - 2, 2)
    assert len(script.runs) == count
    part_id = names.graph_part_id(handle.id, "m")
    part = server.client.get_workflow_handle(part_id)
    described = await part.describe()
    # As a node takes, and a few of its own; not more for a longer map.
    assert described.history_length < 6 * MAX_PART_ITEMS + 20
    first = server.client.list_workflows(f'WorkflowId="{part_id}"')
    assert len([one async for one in first]) == math.ceil(count / MAX_PART_ITEMS)


async def test_outputs_of_items_that_are_too_large_together_are_an_error(
    server: Scripted,
) -> None:
    script = Script(nodes={}, otherwise=gives("x" * 60_000), heartbeat=30)
    each = {"kind": "map", "items": [1, 2, 3, 4, 5], "event": EVENT}
    result, _ = await server.play_graph(script, {"nodes": {"m": each}})
    (row,) = result.nodes
    assert row.status is Status.FAILURE
    assert row.error is not None
    assert row.error.type == "OutputLimit"
    assert "at most 262144 can be kept" in row.error.message
    assert row.output is None


async def test_outputs_that_do_not_fit_the_result_are_named(server: Scripted) -> None:
    nodes = {f"n{i}": {"event": EVENT} for i in range(5)}
    script = Script(nodes={}, otherwise=gives("x" * 250_000), heartbeat=30)
    result, _ = await server.play_graph(
        script, {"nodes": nodes, "output": "{{ nodes.n0.status }}"}
    )
    assert result.status is Status.SUCCESS
    assert result.omitted == ["n3", "n4"]


async def test_an_event_on_many_servers_runs_in_a_part_of_its_own(
    server: Scripted,
) -> None:
    script = Script(at={"a/s0007": [FAILS]}, heartbeat=30)
    many = {**EVENT, "targets": servers(103)}
    result, _ = await server.play_graph(
        script, {"nodes": {"a": {"event": many}}}, patience=120
    )
    (row,) = result.nodes
    assert row.status is Status.PARTIAL
    assert row.counts is not None
    assert (row.counts.total, row.counts.failed) == (103, 1)
    assert {run.target for run in script.runs} == {f"a/s{n:04d}" for n in range(1, 104)}


async def test_servers_of_a_node_have_rows_and_names_of_their_own(
    server: Scripted,
) -> None:
    script = Script(at={"a/s0002": [FAILS]}, heartbeat=30)
    some = {**EVENT, "targets": servers(3)}
    result, _ = await server.play_graph(script, {"nodes": {"a": {"event": some}}})
    (row,) = result.nodes
    assert [(t.target, str(t.status)) for t in row.targets] == [
        ("s0001", "SUCCESS"), ("s0002", "FAILURE"), ("s0003", "SUCCESS"),
    ]  # fmt: skip
    assert row.exit_code == 101


async def test_the_picture_of_a_run_has_the_colours_of_its_nodes(
    server: Scripted,
) -> None:
    script = Script(nodes={"a": [FAILS]})
    graph = {"nodes": {"a": {"event": EVENT}, "b": {"event": EVENT, "after": "a"}}}
    async with server.following(script):
        handle = await server.start_graph(graph)
        await handle.result()
        text = await handle.query("mermaid")
    assert "n0[" in text
    assert ":::failure" in text
    assert ":::skipped" in text


async def test_actions_of_a_nodes_event_fire_once_and_are_told_apart_by_node(
    server: Scripted,
) -> None:
    message = {"kind": "message", "targets": [{"secret": "CHAT"}], "body": "x"}
    callback = {"kind": "callback", "url": "https://a.example/hook", "secret": "KEY"}
    actions = [
        {**message, "when": "on_failure"},
        {**callback, "when": "always"},
        {"kind": "event", "when": "on_failure", "event": {**NAMED, "script": "true"}},
    ]
    telling = {**EVENT, "actions": actions}
    nodes = {
        "a": {"event": {**telling, "retries": 1, "backoff": {"initialSeconds": 0.1}}},
        "b": {"event": telling, "after": {"a": "on_failure"}},
        "m": {"kind": "map", "items": [1, 2], "event": telling, "after": "b"},
    }
    script = Script(nodes={"a": [FAILS, FAILS]}, heartbeat=30)
    result, _ = await server.play_graph(script, {"nodes": nodes})
    assert result.status is Status.SUCCESS
    a, b, _ = result.nodes
    assert [str(row.when) for row in a.actions] == [
        "always",
        "on_failure",
        "on_failure",
    ]
    assert {row.status for row in (*a.actions, *b.actions)} == {Status.SUCCESS}
    assert a.actions[2].execution_id is not None
    kinds = [order.action.kind for order in script.handed]
    assert (kinds.count("callback"), kinds.count("message")) == (4, 1)
    ids = [o.delivery_id for o in script.handed if isinstance(o, CallbackOrder)]
    assert len(set(ids)) == 4


async def stand(handle: WorkflowHandle[Any, Any], wanted: dict[str, str]) -> None:
    """Queries are all that a client has: there is no event to wait for."""
    async with asyncio.timeout(60):
        while True:
            rows = await handle.query("progress")
            if {r["node"]: r["status"] for r in rows}.items() >= wanted.items():
                return
            await asyncio.sleep(0.05)
