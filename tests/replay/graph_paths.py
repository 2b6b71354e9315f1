"""The paths through the workflows of graphs, each as something that can be recorded."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from temporalio.client import WorkflowHandle

from contracts import names
from contracts.results import Status
from tests.temporal.scripted import (
    FAILS,
    SUCCEEDS,
    Script,
    Scripted,
    ends,
    runs_until_cancelled,
    servers,
    takes,
)

Path = Callable[[Scripted], Awaitable[WorkflowHandle[Any, Any]]]
EVENT = {"type": "bash", "script": "true", "backoff": {"initialSeconds": 0.1}}
WHO = {"by": "ada", "why": "since"}
Order = tuple[dict[str, str], str, dict[str, Any]]
"""When the nodes stand so, this is said: an update, or `cancel`."""


def event(**fields: Any) -> dict[str, Any]:
    return {"event": EVENT, **fields}


def graph_of(nodes: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"nodes": nodes, **fields}


async def stand(handle: WorkflowHandle[Any, Any], wanted: dict[str, str]) -> None:
    """Queries are all that a client has: there is no event to wait for."""
    async with asyncio.timeout(60):
        while True:
            rows = await handle.query("progress")
            if {r["node"]: r["status"] for r in rows}.items() >= wanted.items():
                return
            await asyncio.sleep(0.05)


def played(
    graph: dict[str, Any],
    *orders: Order,
    does: dict[str, Any] | None = None,
    otherwise: Any = SUCCEEDS,
    id: str = "",
    **request: Any,
) -> Path:
    async def path(server: Scripted) -> WorkflowHandle[Any, Any]:
        # Lists of steps are used up: each round has its own.
        steps = {name: list(told) for name, told in (does or {}).items()}
        script = Script(
            nodes=steps, at=steps, otherwise=otherwise, variables={"N": 1}, heartbeat=30
        )
        async with server.following(script):
            named = {"executionId": id} if id else {}
            handle = await server.start_graph(graph, **named, **request)
            for wanted, update, fields in orders:
                await stand(handle, wanted)
                if update == "cancel":
                    await handle.cancel()
                else:
                    await handle.execute_update(update, fields)
            await asyncio.wait_for(handle.result(), 120)
        return handle

    return path


def part(place: str, path: Path) -> Path:
    """Of a graph that is played, the history of one part is meant."""

    async def played(server: Scripted) -> WorkflowHandle[Any, Any]:
        whole = await path(server)
        part_id = names.graph_part_id(whole.id, place)
        return server.client.get_workflow_handle(part_id)

    return played


def gate(key: str, path: Path) -> Path:
    """Of a graph that is played, the history of its gate is meant."""

    async def played(server: Scripted) -> WorkflowHandle[Any, Any]:
        await path(server)
        handle: WorkflowHandle[Any, Any] = server.client.get_workflow_handle(
            names.gate_id("local", key)
        )
        # It ends when the last one has left.
        await asyncio.wait_for(handle.result(), 60)
        return handle

    return played


DIAMOND = graph_of(
    {
        "a": event(),
        "b": event(after="a", input="{{ nodes.a.output }}"),
        "c": event(after="a"),
        "d": event(after=["b", "c"]),
    }
)
# Paused while a graph and a map inside of it are at work.
PAUSED = graph_of(
    {
        "sub": {
            "kind": "workflow",
            "workflow": {
                "nodes": {
                    "w": {"kind": "wait", "seconds": 2},
                    "x": event(after="w"),
                }
            },
        },
        "m": {
            "kind": "map",
            "items": [1, 2],
            "parallel": 1,
            "workflow": {"nodes": {"w": {"kind": "wait", "seconds": 1}}},
        },
    }
)
PAUSES = (
    ({"sub": "RUNNING", "m": "RUNNING"}, "pause", WHO),
    ({"sub": "RUNNING"}, "resume", WHO),
)
GIVES = [ends(Status.SUCCESS, 0, output={"n": 1}, condition=True)]
LONG = graph_of(
    {"m": {"kind": "map", "items": list(range(501)), "event": EVENT, "parallel": 100}}
)
INNER = graph_of(
    {
        "sub": {
            "kind": "workflow",
            "workflow": {"nodes": {"ok": {"kind": "approval"}, "x": event(after="ok")}},
        }
    }
)
MANY = graph_of({"a": {"event": {**EVENT, "targets": servers(101)}}})


def inner_approval(path_id: str) -> Path:
    async def path(server: Scripted) -> WorkflowHandle[Any, Any]:
        script = Script(nodes={}, heartbeat=30)
        async with server.following(script):
            handle = await server.start_graph(INNER, executionId=path_id)
            await stand(handle, {"sub": "RUNNING"})
            inside: WorkflowHandle[Any, Any] = server.client.get_workflow_handle(
                names.graph_part_id(handle.id, "sub")
            )
            async with asyncio.timeout(60):
                while True:
                    try:
                        await stand(inside, {"ok": "RUNNING"})
                        break
                    except Exception:
                        await asyncio.sleep(0.05)
            await inside.execute_update(
                "decide", {"node": "ok", "approved": True, **WHO}
            )
            await asyncio.wait_for(handle.result(), 60)
        return handle

    return path


def queued(key: str, on_limit: str) -> Path:
    """Two runs of one key; the second one's history."""

    async def path(server: Scripted) -> WorkflowHandle[Any, Any]:
        script = Script(nodes={}, otherwise=takes(0.5), heartbeat=30)
        graph = graph_of({"a": event()}, concurrency={"key": key, "onLimit": on_limit})
        async with server.following(script):
            first = await server.start_graph(graph)
            await script.called.wait()
            second = await server.start_graph(graph)
            await asyncio.wait_for(second.result(), 60)
            await asyncio.wait_for(first.result(), 60)
        return second

    return path


GRAPH_PATHS: dict[str, Path] = {
    "diamond": played(DIAMOND, does={"a": GIVES}, input={"k": 1}),
    "handled-failure": played(
        graph_of({"a": event(), "fix": event(after={"a": "on_failure"})}),
        does={"a": [FAILS]},
    ),
    "unhandled-failure": played(
        graph_of({"a": event(retries=1), "b": event(after="a")}),
        does={"a": [FAILS, FAILS]},
    ),
    "conditions": played(
        graph_of(
            {
                "a": event(),
                "b": event(after={"a": "on_condition"}),
                "c": event(after={"a": "on_condition_false"}),
                "d": event(after=["b", "c"], join="any"),
            },
            output="{{ nodes.a.output }}",
        ),
        does={"a": GIVES},
    ),
    "variables": played(graph_of({"a": event(input="{{ variables.N }}")})),
    "switch-and-wait": played(
        graph_of(
            {
                "s": {"kind": "switch", "cases": [{"name": "x", "if": "{{ true }}"}]},
                "w": {"kind": "wait", "seconds": 0.1, "after": {"s": {"case": "x"}}},
            }
        )
    ),
    "approval": played(
        graph_of({"ok": {"kind": "approval"}, "a": event(after="ok")}),
        ({"ok": "RUNNING"}, "decide", {"node": "ok", "approved": True, **WHO}),
    ),
    "rejection": played(
        graph_of({"ok": {"kind": "approval"}, "a": event(after="ok")}),
        ({"ok": "RUNNING"}, "decide", {"node": "ok", "approved": False, **WHO}),
    ),
    "approval-expires": played(
        graph_of({"ok": {"kind": "approval", "expiresSeconds": 0.2}})
    ),
    "map": played(
        graph_of(
            {
                "m": {
                    "kind": "map",
                    "items": [1, 2, 3],
                    "event": EVENT,
                    "parallel": 2,
                    "maxFailures": 1,
                }
            }
        ),
        does={"m[1]": [FAILS]},
    ),
    "map-stops": played(
        graph_of(
            {
                "m": {
                    "kind": "map",
                    "items": [1, 2, 3],
                    "event": EVENT,
                    "parallel": 1,
                    "onItemFailure": "stop",
                }
            }
        ),
        does={"m[0]": [FAILS]},
    ),
    "long-map": played(LONG, id="long-map"),
    "inner-graph": inner_approval("inner-graph"),
    "many-servers": played(MANY, id="many-servers"),
    "pause-inside": played(PAUSED, *PAUSES, id="pause-inside"),
    "node-timeout": played(
        graph_of({"a": event(timeoutSeconds=0.5)}), otherwise=runs_until_cancelled
    ),
    "run-timeout": played(
        graph_of({"a": event(), "b": event(after="a")}, timeoutSeconds=0.7),
        otherwise=runs_until_cancelled,
    ),
    "cancel": played(
        graph_of({"a": event(), "b": event(after="a"), "w": {"kind": "approval"}}),
        ({"a": "RUNNING", "w": "RUNNING"}, "cancel", {}),
        otherwise=runs_until_cancelled,
    ),
    "cancel-in-map": played(
        graph_of({"m": {"kind": "map", "items": [1, 2, 3], "event": EVENT}}),
        ({"m": "RUNNING"}, "cancel", {}),
        otherwise=runs_until_cancelled,
    ),
    "pause-and-skip": played(
        graph_of({"ok": {"kind": "approval"}, "a": event(after="ok")}),
        ({"ok": "RUNNING"}, "pause", WHO),
        ({"ok": "RUNNING"}, "skip_node", {"node": "ok", **WHO}),
        ({"ok": "SKIPPED", "a": "PENDING"}, "resume", WHO),
    ),
    "retry-held": played(
        graph_of({"a": event(), "b": event(after="a")}, holdOnFailure=True),
        ({"a": "FAILURE", "b": "SKIPPED"}, "retry_node", {"node": "a", **WHO}),
        does={"a": [FAILS, SUCCEEDS]},
    ),
    "actions": played(
        graph_of(
            {
                "a": {
                    "event": {
                        **EVENT,
                        "actions": [
                            {
                                "kind": "callback",
                                "url": "https://a.example/hook",
                                "secret": "KEY",
                            },
                            {
                                "kind": "event",
                                "when": "on_success",
                                "event": {"id": "b", "name": "b", **EVENT},
                            },
                        ],
                    }
                }
            }
        )
    ),
    "reuse": played(
        graph_of({"a": event(), "b": event(after="a")}),
        reuse={"a": {"status": "SUCCESS", "output": 4, "executionId": "earlier"}},
        rerunOf="earlier",
    ),
    "key-queued": queued("recorded-queue", "queue"),
    "key-skipped": queued("recorded-skip", "skip"),
    "node-key": played(
        graph_of(
            {name: event(concurrency={"key": "recorded-node"}) for name in ("a", "b")}
        ),
        otherwise=takes(0.2),
    ),
}
PART_PATHS: dict[str, Path] = {
    "inner-graph": part("sub", inner_approval("part-graph")),
    "long-map": part("m", played(LONG, id="part-map")),
    "many-servers": part("a", played(MANY, id="part-servers")),
    "pause": part("sub", played(PAUSED, *PAUSES, id="part-pause")),
    "cancel": part(
        "sub",
        played(
            graph_of(
                {"sub": {"kind": "workflow", "workflow": {"nodes": {"x": event()}}}}
            ),
            ({"sub": "RUNNING"}, "cancel", {}),
            otherwise=runs_until_cancelled,
            id="part-cancel",
        ),
    ),
}
GATE_PATHS: dict[str, Path] = {
    "queue": gate("gate-queue", queued("gate-queue", "queue")),
    "skip": gate("gate-skip", queued("gate-skip", "skip")),
    "cancel-previous": gate("gate-cancel", queued("gate-cancel", "cancel_previous")),
}
