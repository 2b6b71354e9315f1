"""The events of a graph, wherever in it they are written."""

from contracts.events import EventSpec
from contracts.graph_nodes import EventNode, MapNode, WorkflowNode
from contracts.graphs import GraphSpec


def events_of(spec: GraphSpec, path: str) -> list[tuple[str, EventSpec]]:
    """Return every event of a graph with its path, those of inner graphs included."""
    found = [(f"{path}.events.{name}", event) for name, event in spec.events.items()]
    for index, node in enumerate(spec.nodes):
        place = f"{path}.nodes[{index}]"
        if isinstance(node, EventNode | MapNode) and isinstance(node.event, EventSpec):
            found.append((f"{place}.event", node.event))
        inner = node.workflow if isinstance(node, WorkflowNode | MapNode) else None
        if inner is not None:
            found += events_of(inner, f"{place}.workflow")
    return found
