"""A graph of nodes, the order to run it, and what comes of it.

One form is canonical: `nodes` is a list, and each node says in `after` what comes
before it. People may write `nodes` as a map from id to node, `after` in short forms,
and `edges` as a list beside the nodes; all become the canonical form when read.
"""

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from contracts import limits
from contracts.base import WireModel
from contracts.events import EventSpec, Trigger
from contracts.graph_nodes import (
    BaseNode,
    Concurrency,
    EventNode,
    MapNode,
    Name,
    Node,
    NodeId,
    WorkflowNode,
    edges_of,
)
from contracts.graph_results import GraphResult
from contracts.graph_shape import problems_of_shape
from contracts.identity import Identifier, Tag
from contracts.results import Status
from contracts.schedule_link import Scheduled
from contracts.validation import Problem, sentence
from contracts.wire_text import WireJson, json_size

__all__ = ["GraphRequest", "GraphResult", "GraphSpec", "Reuse", "depth_and_count_of"]


def _nodes(value: Any) -> Any:
    """Return nodes written as a map from id to node as a list."""
    if not isinstance(value, dict):
        return value
    for name, node in value.items():
        if not isinstance(name, str):
            raise ValueError(
                "nodes: the id of a node is not a text: put it in quotes (YAML takes "
                "yes, no, on, off and numbers for something else)"
            )
        if not isinstance(node, dict):
            raise ValueError(f"nodes.{name}: expected fields such as `event` or `kind`")
    return [{"id": name, **node} for name, node in value.items()]


class GraphSpec(WireModel):
    """A graph of nodes: what runs, after what, and what its end means."""

    id: Identifier
    name: Name
    description: Annotated[str, Field(max_length=1000)] = ""
    events: dict[Identifier, EventSpec] = Field(default={}, max_length=limits.MAX_NODES)
    """Events that nodes name, by that name."""
    nodes: Annotated[
        list[Node],
        BeforeValidator(
            _nodes, json_schema_input_type=list[Node] | dict[NodeId, dict[str, Any]]
        ),
    ] = Field(min_length=1, max_length=limits.MAX_NODES)
    strict: bool = False
    """Whether a node that failed makes the run fail even when it was handled."""
    hold_on_failure: bool = False
    """Whether a run that would end as failed waits for somebody instead, who lets a
    node run again, skips one, or resumes the run, which ends it."""
    parallel: int = Field(limits.DEFAULT_PARALLEL, ge=1, le=limits.MAX_PARALLEL)
    """How many nodes run side by side; waits and approvals do not count."""
    timeout_seconds: float | None = Field(None, gt=0, le=limits.MAX_WAIT_SECONDS)
    """Limit of the whole run; what runs is stopped then."""
    concurrency: Concurrency | None = None
    output: WireJson = None
    """Value with expressions over `input` and `nodes`; None: see docs/workflows.md."""
    tags: list[Tag] = Field(default=[], max_length=limits.MAX_TAGS)

    @model_validator(mode="before")
    @classmethod
    def _written_by_people(cls, data: Any) -> Any:
        return _canonical(data) if isinstance(data, dict) else data

    @field_validator("output")
    @classmethod
    def _output_size(cls, value: Any) -> Any:
        return _small(value, "output")

    @model_validator(mode="after")
    def _is_a_graph(self) -> Self:
        problems = problems_of_shape(self.nodes) or self._missing_events()
        if problems:
            raise ValueError(sentence(problems))
        edges = sum(len(node.after) for node in self.nodes)
        if edges > limits.MAX_EDGES:
            raise ValueError(
                f"nodes: at most {limits.MAX_EDGES} edges, these are {edges}"
            )
        depth, count = depth_and_count_of(self)
        if depth > limits.MAX_GRAPH_DEPTH:
            raise ValueError(
                f"nodes: graphs may be nested {limits.MAX_GRAPH_DEPTH} deep, these "
                f"are {depth}"
            )
        if count > limits.MAX_NODES_IN_ALL:
            raise ValueError(
                f"nodes: at most {limits.MAX_NODES_IN_ALL} nodes in all, inner graphs "
                f"included, these are {count}"
            )
        return self

    def _missing_events(self) -> list[Problem]:
        known = ", ".join(self.events) or "none"
        return [
            Problem(
                path=f"nodes[{index}].event",
                message=f"no event of this name is in `events` (known: {known})",
            )
            for index, node in enumerate(self.nodes)
            if isinstance(node, EventNode | MapNode)
            and isinstance(node.event, str)
            and node.event not in self.events
        ]

    def event_of(self, node: EventNode | MapNode) -> EventSpec:
        """Return the event of a node, with what the node changes in it."""
        found = self.events[node.event] if isinstance(node.event, str) else node.event
        assert found is not None
        if node.retries is None:
            return found
        return found.model_copy(update={"retries": node.retries})

    @property
    def by_id(self) -> dict[str, BaseNode]:
        """The nodes by their ids, in order."""
        return {node.id: node for node in self.nodes}


WorkflowNode.model_rebuild(_types_namespace={"GraphSpec": GraphSpec})
MapNode.model_rebuild(_types_namespace={"GraphSpec": GraphSpec})
GraphSpec.model_rebuild(force=True)


class Reuse(WireModel):
    """How a node ended in an earlier run; it is taken as it is and not run again."""

    status: Status
    output: WireJson = None
    condition: bool | None = None
    case: str | None = None
    execution_id: Identifier
    """The run it is taken from."""


class GraphRequest(Scheduled):
    """One execution of one graph: the only argument of `GraphWorkflow`."""

    workflow: GraphSpec
    input: WireJson = None
    """Any JSON value; what nodes without others before them get."""
    trigger: Trigger = Trigger.MANUAL
    user: Identifier = "local"
    """Whose execution it is; decides who may read its logs, and whose variables."""
    priority: int = Field(3, ge=1, le=5)
    """1 is first, 5 last; passed to Temporal."""
    reuse: dict[NodeId, Reuse] = Field(default={}, max_length=limits.MAX_NODES)
    """Of a rerun: nodes whose earlier ends are used again."""
    rerun_of: Identifier | None = None
    """The execution that this one repeats."""

    @field_validator("input")
    @classmethod
    def _input_size(cls, value: Any) -> Any:
        return _small(value, "input")

    @model_validator(mode="after")
    def _reuse_fits(self) -> Self:
        unknown = [name for name in self.reuse if name not in self.workflow.by_id]
        if unknown:
            raise ValueError(f"reuse: no node has the id {unknown[0]}")
        for name, earlier in self.reuse.items():
            if not earlier.status.final:
                raise ValueError(f"reuse.{name}: a node that has not ended")
        return self


def depth_and_count_of(spec: GraphSpec) -> tuple[int, int]:
    """Return how deep graphs are nested in each other, and how many nodes there are."""
    deepest, count = 0, len(spec.nodes)
    for node in spec.nodes:
        inner = node.workflow if isinstance(node, WorkflowNode | MapNode) else None
        if inner is not None:
            depth, more = depth_and_count_of(inner)
            deepest, count = max(deepest, depth), count + more
    return deepest + 1, count


def _canonical(data: dict[str, Any]) -> dict[str, Any]:
    nodes = _nodes(data.get("nodes"))
    if not isinstance(nodes, list):
        return data
    data = {**data, "nodes": [_with_event(node) for node in nodes]}
    events = data.get("events")
    if isinstance(events, dict):
        data["events"] = {key: _named(e, key) for key, e in events.items()}
    edges = data.pop("edges", None)
    return data if edges is None else _with_edges(data, edges)


def _with_event(node: Any) -> Any:
    """Return a node whose own event and graph have an id and a name."""
    if not isinstance(node, dict) or not isinstance(node.get("id"), str):
        return node
    name = node["id"]
    named = {
        key: _named(node[key], name)
        for key in ("event", "workflow")
        if isinstance(node.get(key), dict)
    }
    return {**node, **named}


def _named(part: Any, name: Any) -> Any:
    return {"id": name, "name": name, **part} if isinstance(part, dict) else part


def _with_edges(data: dict[str, Any], edges: Any) -> dict[str, Any]:
    """Return a graph whose `edges` stand in the nodes that they lead to."""
    if not isinstance(edges, list):
        raise ValueError("edges: expected a list of {from, to, when}")
    nodes = {
        node["id"]: {**node, "after": list(_listed(node.get("after", [])))}
        for node in data["nodes"]
        if isinstance(node, dict) and isinstance(node.get("id"), str)
    }
    for index, edge in enumerate(edges):
        if not isinstance(edge, dict) or not {"from", "to"} <= set(edge):
            raise ValueError(f"edges[{index}]: expected {{from, to, when}}")
        rest = {key: edge[key] for key in edge if key not in ("from", "to")}
        target = nodes.get(edge["to"]) if isinstance(edge["to"], str) else None
        if target is None:
            raise ValueError(f"edges[{index}].to: no node has this id")
        target["after"].append({"node": edge["from"], **rest})
    done = [
        nodes.get(node.get("id"), node) if isinstance(node, dict) else node
        for node in data["nodes"]
    ]
    return {**data, "nodes": done}


def _listed(value: Any) -> list[Any]:
    found = edges_of(value)
    return found if isinstance(found, list) else []


def _small(value: Any, what: str) -> Any:
    size = json_size(value)
    if size > limits.MAX_INPUT_BYTES:
        raise ValueError(
            f"{what} may have at most {limits.MAX_INPUT_BYTES} bytes of JSON, this one "
            f"has {size}: put large data where the scripts can fetch it"
        )
    return value
