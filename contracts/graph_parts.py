"""What a graph's workflow, its parts, and the people in front of it say to each other.

A part is a workflow of its own with a history of its own: a graph inside a node, or
the items of a long map. Its lines are in the log of the whole.
"""

from typing import Annotated, Any

from pydantic import Field

from contracts import limits
from contracts.base import TolerantModel, WireModel
from contracts.errors import ErrorInfo
from contracts.events import EventSpec, Trigger
from contracts.graph_nodes import MapNode, NodeId
from contracts.graphs import GraphRequest, GraphSpec
from contracts.identity import Identifier
from contracts.results import (
    ActionResult,
    LogCounts,
    PhaseDurations,
    Status,
    TargetCounts,
    TargetResult,
)
from contracts.runs import ActivityStub, Admission
from contracts.wire_text import WireText

Why = Annotated[WireText, Field(max_length=limits.MAX_WHY_CHARS)]


class Decision(WireModel):
    """A yes or no to a node that waits for one: update `decide`."""

    node: NodeId
    approved: bool
    by: Identifier
    why: Why = ""


class NodeOrder(WireModel):
    """What is to be done with a node: updates `skip_node` and `retry_node`."""

    node: NodeId
    by: Identifier
    why: Why = ""
    passes: bool = True
    """Of a skip: whether what follows runs as if the node had succeeded."""


class Steering(WireModel):
    """A word to the whole run: updates `pause` and `resume`."""

    by: Identifier
    why: Why = ""


class RerunOrder(WireModel):
    """What to run again of a run that is over: argument of the query `rerun`."""

    again: list[NodeId] = Field(default=[], max_length=limits.MAX_NODES)
    """Nodes to run anew, with all behind them; empty: those that failed and were not
    handled."""
    workflow: GraphSpec | None = None
    """The graph as it is now; unset: as it was."""


class BrakeWord(WireModel):
    """Pause or resume, passed on to a part: signal `brake_word`."""

    on: bool


class RunInfo(TolerantModel):
    """What all nodes of an execution have in common."""

    execution_id: str
    workflow_id: str
    """Id of the outermost graph."""
    user: str
    trigger: Trigger
    priority: int
    admission: Admission
    place: str = ""
    """What the names of this part's targets begin with; "" is the outermost."""
    started_at: float = 0.0
    """Seconds since 1970."""
    scheduled_for: str | None = None
    """The time that the execution stands for, when a schedule started it."""


class MapTally(TolerantModel):
    """What a map's items have come to so far."""

    done: int = 0
    """Items before this number have ended, if the map was not stopped."""
    counts: TargetCounts = TargetCounts(total=0)
    failed_items: list[int] = []
    """The first that did not succeed; at most 20."""
    first_error: ErrorInfo | None = None
    outputs: dict[int, Any] = {}
    """By item; those that gave none are left out."""
    output_bytes: int = 0
    logs: LogCounts = LogCounts()
    stopped: bool = False
    """No other item begins."""


class MapOrder(WireModel):
    """The items of a map that are still to run."""

    node: MapNode
    event: EventSpec | None = None
    items: list[Any]
    """All of them."""
    data: dict[str, Any] = {}
    """What the expressions of `input` may read, besides `item` and `index`."""
    earlier: int = 0
    """Tries of each item before, when the node runs again."""
    tally: MapTally = MapTally()


class PartRequest(WireModel):
    """A part of a graph's execution: argument of `GraphPart`."""

    run: RunInfo
    graph: GraphSpec | None = None
    input: Any = None
    """Of a graph."""
    map: MapOrder | None = None
    event: EventSpec | None = None
    """An event on more servers than one history bears."""
    earlier: int = 0
    paused: bool = False
    """Whether it is to begin nothing yet."""


class PartResult(WireModel):
    """How a part ended."""

    status: Status
    output: Any = None
    condition: bool | None = None
    error: ErrorInfo | None = None
    logs: LogCounts = LogCounts()
    exit_code: int | None = None
    durations: PhaseDurations = PhaseDurations()
    attempts: int = 0
    targets: list[TargetResult] = []
    actions: list[ActionResult] = []
    counts: TargetCounts | None = None
    failed_items: list[int] = []


class VariablesOrder(WireModel):
    """Which variables an expression reads: argument of `read_variables`."""

    user: Identifier
    keys: list[str]


class VariablesFound(WireModel):
    """The variables that are set."""

    values: dict[str, Any] = {}


BRAKE_WORD = "brake_word"
ADMIT_GRAPH = ActivityStub("admit_graph", GraphRequest, Admission)
READ_VARIABLES = ActivityStub("read_variables", VariablesOrder, VariablesFound)
