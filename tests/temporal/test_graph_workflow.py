"""Graphs on a real Temporal server, with activities that do as a test says."""

from typing import Any

from contracts.results import Status
from tests.temporal.scripted import FAILS, Script, Scripted, ends

EVENT = {"type": "bash", "script": "true"}


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
