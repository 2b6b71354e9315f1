"""How a graph and its nodes ended, and why."""

from enum import StrEnum
from typing import Any

from contracts.base import WireModel
from contracts.errors import ErrorInfo
from contracts.graph_nodes import NodeKind
from contracts.results import (
    ActionResult,
    LogCounts,
    PhaseDurations,
    Status,
    TargetCounts,
    TargetResult,
)


class GraphError(StrEnum):
    """Why a graph, or a node of one, did not succeed; data in a result."""

    NODES_FAILED = "NodesFailed"
    NODE_TIMEOUT = "NodeTimeout"
    GRAPH_TIMEOUT = "WorkflowTimeout"
    EXPRESSION = "ExpressionInvalid"
    """An expression met data that it cannot be evaluated with."""
    REJECTED = "Rejected"
    EXPIRED = "ApprovalExpired"
    NOT_REACHED = "NotReached"
    """Of a skipped node: an edge to it can no longer fire."""
    SKIPPED_BY_HAND = "SkippedByHand"
    ITEMS_FAILED = "ItemsFailed"
    HISTORY_FULL = "HistoryFull"
    """The run has come to the size at which Temporal would end it."""
    KEY_TAKEN = "KeyTaken"
    """As many runs of its concurrency key were under way as may be."""
    PART_LOST = "PartLost"
    """Somebody ended a part of the run from outside."""


class NodeDecision(WireModel):
    """What somebody said about a node."""

    verdict: str
    """`approved`, `rejected`, `skipped` or `retried`."""
    by: str
    why: str = ""
    at: float
    """Seconds since 1970."""


class NodeResult(WireModel):
    """Where a node stands, and how it ended."""

    node: str
    kind: NodeKind
    status: Status = Status.PENDING
    handled: bool = False
    """It failed, and that was foreseen: by an edge to a node that ran, or since the
    node says `continueOnFailure`."""
    case: str | None = None
    """Of a switch: what it has chosen."""
    condition: bool | None = None
    output: Any = None
    error: ErrorInfo | None = None
    """Of a skipped node: why."""
    exit_code: int | None = None
    started_at: float | None = None
    """Seconds since 1970; None when it did not begin."""
    ended_at: float | None = None
    attempts: int = 0
    """Of an event, the most tries that a target took."""
    durations: PhaseDurations = PhaseDurations()
    """Of an event: its last try's phases, and all of it; in milliseconds."""
    logs: LogCounts = LogCounts()
    targets: list[TargetResult] = []
    """Of an event on several servers, a row for each, without outputs."""
    actions: list[ActionResult] = []
    """Of an event, one row for each of its actions that fired."""
    counts: TargetCounts | None = None
    """Of a fan-out its servers, of a map its items."""
    failed_items: list[int] = []
    """Of a map, the first items that did not succeed; at most 20."""
    decisions: list[NodeDecision] = []
    """Who approved, rejected, skipped or retried it, and why."""
    reused_from: str | None = None
    """The execution whose result this is."""
    waiting_for: str = ""
    """What holds it up: an approval, a time, a place among the runs of its key."""


class NodeCounts(WireModel):
    """How many nodes ended in which way."""

    total: int
    succeeded: int = 0
    failed: int = 0
    """FAILURE, TIMEOUT, LOST or PARTIAL; handled ones included."""
    handled: int = 0
    skipped: int = 0
    cancelled: int = 0


class GraphResult(WireModel):
    """The typed result of one execution of a graph: what `GraphWorkflow` returns."""

    execution_id: str
    workflow_id: str
    """Id of the graph, not of Temporal's workflow."""
    workflow_name: str
    status: Status
    """SUCCESS, FAILURE, TIMEOUT or CANCELLED; SKIPPED when the concurrency key was
    taken and the graph says `onLimit: skip`."""
    output: Any = None
    error: ErrorInfo | None = None
    total_ms: int = 0
    nodes: list[NodeResult] = []
    omitted: list[str] = []
    """Nodes for whose outputs there was no room in this result."""
    counts: NodeCounts
    logs: LogCounts = LogCounts()
    rerun_of: str | None = None
