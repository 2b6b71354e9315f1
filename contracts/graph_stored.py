"""The form in which the app stores a workflow, taken as it is.

Nodes have an `eventId` and a place on the canvas, edges a `connectionType` between two
nodes; events and servers are rows of their own. Joins of the app wait for all edges.
"""

from collections.abc import Mapping
from typing import Any

from contracts.errors import RequestRefused

KEPT = ("name", "description", "tags", "strict", "parallel", "timeoutSeconds")
DEFAULT_CONNECTION = "ALWAYS"


def is_stored(data: Mapping[str, Any]) -> bool:
    """Whether a workflow is in the app's form."""
    nodes, edges = data.get("nodes"), data.get("edges")
    return _any_has(nodes, "eventId") or _any_has(edges, "sourceNodeId")


def from_stored(
    data: Mapping[str, Any],
    events: Mapping[str, Any],
    servers: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a workflow of the app as data of a `GraphSpec`.

    Args:
        data: The row, with `nodes` and `edges`.
        events: The events in wire form, by their ids as texts.
        servers: The servers in wire form, by their ids as texts; needed when the
            workflow says `overrideEventServers`.

    Raises:
        RequestRefused: An event or a server is not there, with the field's path.
    """
    nodes = [
        _node(node, index, events) for index, node in enumerate(data.get("nodes", []))
    ]
    edges = [_edge(edge, index) for index, edge in enumerate(data.get("edges", []))]
    used = {node["event"]: dict(events[node["event"]]) for node in nodes}
    if data.get("overrideEventServers"):
        targets = _servers(data.get("overrideServerIds", []), servers or {})
        for event in used.values():
            if "http" not in event:
                event["targets"] = targets
    kept = {key: data[key] for key in KEPT if data.get(key) is not None}
    identity = str(data.get("id", "workflow"))
    return {
        "id": identity,
        "name": identity,
        **kept,
        "events": used,
        "nodes": nodes,
        "edges": edges,
    }


def _node(node: Any, index: int, events: Mapping[str, Any]) -> dict[str, Any]:
    path = f"nodes[{index}]"
    if not isinstance(node, Mapping) or "id" not in node or "eventId" not in node:
        raise RequestRefused(f"{path}: expected `id` and `eventId`")
    event = str(node["eventId"])
    if event not in events:
        raise RequestRefused(
            f"{path}.eventId: no event has this id",
            hint="Put the events beside the workflow, as `events` by their ids.",
        )
    return {"id": str(node["id"]), "event": event}


def _edge(edge: Any, index: int) -> dict[str, Any]:
    path = f"edges[{index}]"
    if not isinstance(edge, Mapping) or not {"sourceNodeId", "targetNodeId"} <= set(
        edge
    ):
        raise RequestRefused(f"{path}: expected `sourceNodeId` and `targetNodeId`")
    return {
        "from": str(edge["sourceNodeId"]),
        "to": str(edge["targetNodeId"]),
        "when": str(edge.get("connectionType", DEFAULT_CONNECTION)).lower(),
    }


def _servers(wanted: Any, servers: Mapping[str, Any]) -> list[Any]:
    missing = [index for index, name in enumerate(wanted) if str(name) not in servers]
    if missing:
        raise RequestRefused(f"overrideServerIds[{missing[0]}]: no server has this id")
    return [servers[str(name)] for name in wanted]


def _any_has(items: Any, key: str) -> bool:
    return isinstance(items, list) and any(
        isinstance(item, Mapping) and key in item for item in items
    )
