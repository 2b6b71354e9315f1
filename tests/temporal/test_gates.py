"""At most so many runs of one key: who waits, who is skipped, who makes room."""

import asyncio
from typing import Any

from temporalio.client import WorkflowHandle

from contracts import names
from contracts.results import Status
from tests.temporal.scripted import (
    Script,
    Scripted,
    runs_until_cancelled,
    takes,
)

EVENT = {"type": "bash", "script": "true"}


def graph(key: str, on_limit: str = "queue", limit: int = 1) -> dict[str, Any]:
    return {
        "nodes": {"a": {"event": EVENT}},
        "concurrency": {"key": key, "limit": limit, "onLimit": on_limit},
    }


async def held(server: Scripted, key: str, holders: int, waiting: int = 0) -> None:
    """Queries are all that a client has: there is no event to wait for."""
    gate = server.client.get_workflow_handle(names.gate_id("local", key))
    async with asyncio.timeout(30):
        while True:
            try:
                state = await gate.query("state")
            except Exception:
                state = {"holders": [], "waiting": []}
            if (len(state["holders"]), len(state["waiting"])) == (holders, waiting):
                return
            await asyncio.sleep(0.05)


async def ended(handle: WorkflowHandle[Any, Any]) -> Any:
    return await asyncio.wait_for(handle.result(), 90)


async def test_runs_of_one_key_come_one_after_the_other(server: Scripted) -> None:
    script = Script(nodes={}, otherwise=takes(0.2), heartbeat=30)
    async with server.following(script):
        handles = [
            await server.start_graph(graph("{{ input.to }}"), input={"to": "k1"})
            for _ in range(4)
        ]
        results = await asyncio.gather(*map(ended, handles))
    assert {result.status for result in results} == {Status.SUCCESS}
    assert script.peak == 1


async def test_two_places_are_two_runs_at_a_time_and_keys_do_not_mix(
    server: Scripted,
) -> None:
    script = Script(nodes={}, otherwise=runs_until_cancelled, heartbeat=30)
    async with server.following(script):
        handles = [await server.start_graph(graph("k2", limit=2)) for _ in range(3)]
        await held(server, "k2", 2, 1)
        other = await server.start_graph(graph("k3", limit=2))
        await held(server, "k3", 1)
        for handle in [*handles, other]:
            await handle.cancel()
        results = await asyncio.gather(*map(ended, [*handles, other]))
    assert {result.status for result in results} == {Status.CANCELLED}
    assert script.peak <= 3


async def test_a_run_that_would_have_to_wait_is_skipped_when_it_says_so(
    server: Scripted,
) -> None:
    script = Script(nodes={}, otherwise=runs_until_cancelled, heartbeat=30)
    async with server.following(script):
        first = await server.start_graph(graph("k4", "skip"))
        await held(server, "k4", 1)
        second = await ended(await server.start_graph(graph("k4", "skip")))
        await first.cancel()
        await ended(first)
    assert second.status is Status.SKIPPED
    assert second.error.type == "KeyTaken"
    assert [row.status for row in second.nodes] == [Status.SKIPPED]
    assert len(script.runs) == 1


async def test_a_later_run_makes_the_earlier_one_stop(server: Scripted) -> None:
    script = Script(nodes={}, otherwise=runs_until_cancelled, heartbeat=30)
    async with server.following(script):
        first = await server.start_graph(graph("k5", "cancel_previous"))
        await script.called.wait()
        script.otherwise = takes(0.1)
        second = await server.start_graph(graph("k5", "cancel_previous"))
        results = await asyncio.gather(ended(first), ended(second))
    assert [result.status for result in results] == [Status.CANCELLED, Status.SUCCESS]
    assert "a later run of its key" in results[0].error.message
    assert script.peak == 1


async def test_a_run_that_waits_can_be_cancelled_and_gives_its_place_up(
    server: Scripted,
) -> None:
    script = Script(nodes={}, otherwise=runs_until_cancelled, heartbeat=30)
    async with server.following(script):
        first = await server.start_graph(graph("k6"))
        await held(server, "k6", 1)
        second = await server.start_graph(graph("k6"))
        await held(server, "k6", 1, 1)
        await second.cancel()
        result = await ended(second)
        await held(server, "k6", 1, 0)
        await first.cancel()
        await ended(first)
    assert result.status is Status.CANCELLED
    assert len(script.runs) == 1


async def test_the_place_of_a_run_that_was_terminated_is_found_free(
    server: Scripted,
) -> None:
    script = Script(nodes={}, otherwise=runs_until_cancelled, heartbeat=30)
    async with server.following(script):
        first = await server.start_graph(graph("k7"))
        await script.called.wait()
        await first.terminate()
        script.otherwise = takes(0.1)
        result = await ended(await server.start_graph(graph("k7")))
    assert result.status is Status.SUCCESS


async def test_nodes_of_one_key_come_one_after_the_other(server: Scripted) -> None:
    script = Script(nodes={}, otherwise=takes(0.15), heartbeat=30)
    limited = {"event": EVENT, "concurrency": {"key": "db-{{ input }}"}}
    nodes = dict.fromkeys(("a", "b", "c"), limited)
    result, _ = await server.play_graph(script, {"nodes": nodes}, input=8)
    assert result.status is Status.SUCCESS
    assert script.peak == 1


async def test_a_key_that_cannot_be_evaluated_fails_the_run(server: Scripted) -> None:
    result, _ = await server.play_graph(
        Script(nodes={}), graph("{{ input.gone }}"), input={}
    )
    assert result.status is Status.FAILURE
    assert result.error is not None
    assert "concurrency.key: 'gone' is undefined" in result.error.message
