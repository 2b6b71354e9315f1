"""The nodes of a graph: what each kind does, and after what it runs.

Fields of type `Expression` hold `{{ }}` expressions over `input`, `nodes`, `variables`
and, inside a map, `item` and `index` (see docs/workflows.md). A text that is one
expression keeps the type of its value; any other text becomes a text.
"""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    field_validator,
    model_validator,
)

from contracts import limits, names
from contracts.base import WireModel
from contracts.events import EventSpec
from contracts.fanout import Limit
from contracts.identity import Identifier
from contracts.wire_text import WireJson, WireText

if TYPE_CHECKING:
    from contracts.graphs import GraphSpec

NodeId = Annotated[
    str,
    StringConstraints(
        min_length=1,
        max_length=limits.MAX_NODE_ID_LENGTH,
        pattern=names.ID_PATTERN,
    ),
]
Name = Annotated[
    str, StringConstraints(min_length=1, max_length=limits.MAX_NAME_LENGTH)
]
Expression = Annotated[
    WireText, StringConstraints(min_length=1, max_length=limits.MAX_EXPRESSION_CHARS)
]
# In angle brackets: `contracts.validation` leaves them out of paths.
EventOrName = Annotated[
    Annotated[EventSpec, Tag("<event>")] | Annotated[Identifier, Tag("<name>")],
    Discriminator(lambda value: "<name>" if isinstance(value, str) else "<event>"),
]


def _text_or(other: str) -> Discriminator:
    return Discriminator(lambda value: "<text>" if isinstance(value, str) else other)


SecondsOrText = Annotated[
    Annotated[
        float, Field(ge=0, le=limits.MAX_WAIT_SECONDS, strict=True), Tag("<number>")
    ]
    | Annotated[Expression, Tag("<text>")],
    _text_or("<number>"),
]
ListOrText = Annotated[
    Annotated[list[WireJson], Field(max_length=limits.MAX_MAP_ITEMS), Tag("<list>")]
    | Annotated[Expression, Tag("<text>")],
    _text_or("<list>"),
]


class EdgeWhen(StrEnum):
    """After which end of a node an edge fires.

    SUCCESS is success; FAILURE, TIMEOUT, LOST and PARTIAL are failure. After a node
    that was skipped no edge fires.
    """

    ALWAYS = "always"
    ON_SUCCESS = "on_success"
    ON_FAILURE = "on_failure"
    ON_CONDITION = "on_condition"
    """The condition is exactly true, whatever the status."""
    ON_CONDITION_FALSE = "on_condition_false"
    """The condition is exactly false. Without a condition neither of the two fires."""
    ON_CASE = "on_case"
    """A switch has chosen the edge's case."""


class Join(StrEnum):
    """How many of several edges must fire before their node runs."""

    ALL = "all"
    ANY = "any"
    """The first that fires is enough; the node runs once."""


class NodeKind(StrEnum):
    """What a node does."""

    EVENT = "event"
    WAIT = "wait"
    APPROVAL = "approval"
    MAP = "map"
    SWITCH = "switch"
    WORKFLOW = "workflow"


class OnLimit(StrEnum):
    """What happens when as many runs of a key are under way as may be."""

    QUEUE = "queue"
    SKIP = "skip"
    CANCEL_PREVIOUS = "cancel_previous"
    """The oldest run of the key is cancelled, and this one begins when it is gone."""


class Concurrency(WireModel):
    """At most so many runs of one key at a time, in all executions of one user."""

    key: Expression
    limit: int = Field(1, ge=1, le=limits.MAX_CONCURRENT_RUNS)
    on_limit: OnLimit = OnLimit.QUEUE


class Edge(WireModel):
    """One node that comes before another, and when it lets that one run."""

    node: NodeId
    when: EdgeWhen = EdgeWhen.ON_SUCCESS
    case: Name | None = None
    """Of a switch: which case; `when` is `on_case` then."""

    @model_validator(mode="before")
    @classmethod
    def _case_is_enough(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("case") is not None:
            return {"when": EdgeWhen.ON_CASE, **data}
        return data

    @model_validator(mode="after")
    def _case_or_none(self) -> Self:
        if (self.when is EdgeWhen.ON_CASE) != (self.case is not None):
            raise ValueError("`case` goes together with `when: on_case`, and only so")
        return self

    def __str__(self) -> str:
        return f"{self.node} ({self.case or self.when})"


def edges_of(value: Any) -> Any:
    """Return the short forms of `after` in the long one.

    A name; a list of names and edges; or a map from name to `when` or to an edge.
    """
    if isinstance(value, str):
        return [{"node": value}]
    if isinstance(value, dict):
        return [
            {"node": name, **(edge if isinstance(edge, dict) else {"when": edge})}
            for name, edge in value.items()
        ]
    if isinstance(value, list):
        return [{"node": item} if isinstance(item, str) else item for item in value]
    return value


class BaseNode(WireModel):
    """What all kinds of nodes have."""

    id: NodeId
    name: Name | None = None
    """What people see; None is the id."""
    after: Annotated[
        list[Edge],
        BeforeValidator(
            edges_of, json_schema_input_type=str | list[str | Edge] | dict[str, Any]
        ),
    ] = Field(default=[], max_length=limits.MAX_EDGES)
    """The nodes before it, in order; none: it runs at the start."""
    join: Join = Join.ALL
    input: WireJson = None
    """Any JSON value with expressions in its texts; None: see `default_input`."""
    timeout_seconds: float | None = Field(None, gt=0, le=limits.MAX_WAIT_SECONDS)
    """Limit of the whole node: its tries, waits and queues. What runs is stopped."""
    continue_on_failure: bool = False
    """Its failure counts as borne: `on_success` edges fire as well."""

    @property
    def title(self) -> str:
        """What people see."""
        return self.name or self.id

    @property
    def does(self) -> NodeKind:
        """What kind of node it is."""
        return NodeKind(getattr(self, "kind", NodeKind.EVENT))


class EventNode(BaseNode):
    """Runs an event: in a container, on servers, or as an HTTP request."""

    kind: Literal["event"] = "event"
    event: EventOrName
    """The event itself, or its name in the graph's `events`."""
    retries: int | None = Field(None, ge=0, le=limits.MAX_RETRIES)
    """None: as the event says."""
    concurrency: Concurrency | None = None


class WaitNode(BaseNode):
    """Waits for a time, or until one."""

    kind: Literal["wait"] = "wait"
    seconds: SecondsOrText | None = None
    until: Expression | None = None
    """A time with its zone (ISO 8601), or an expression that gives one."""

    @field_validator("until", mode="before")
    @classmethod
    def _yaml_time(cls, value: Any) -> Any:
        # YAML makes a time of what looks like one.
        return value.isoformat() if isinstance(value, datetime) else value

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.seconds is None) == (self.until is None):
            raise ValueError("give either `seconds` or `until`, and not both")
        return self


class ApprovalNode(BaseNode):
    """Waits for somebody who says yes or no, and why.

    Yes is SUCCESS, no is FAILURE, and TIMEOUT when nobody said anything in time. The
    condition is true after a yes and false after a no.
    """

    kind: Literal["approval"] = "approval"
    message: Expression | None = None
    """What is asked."""
    expires_seconds: float | None = Field(None, gt=0, le=limits.MAX_WAIT_SECONDS)
    """None: it waits for ever."""
    approvers: list[Identifier] = Field(default=[], max_length=limits.MAX_APPROVERS)
    """Who may decide; empty: everybody who reaches Temporal."""


class OnItemFailure(StrEnum):
    """What one failed item of a map means for the others."""

    CONTINUE = "continue"
    STOP = "stop"
    """No other item begins once more have failed than are borne."""


class MapNode(BaseNode):
    """Runs an event, or a graph, for each item of a list.

    Its output is the list of the items' outputs, in the order of the items; null where
    an item gave none. `input` of an item is the item itself, unless `input` says else.
    """

    kind: Literal["map"] = "map"
    items: ListOrText
    """An expression that gives a list, or the list."""
    event: EventOrName | None = None
    workflow: "GraphSpec | None" = None
    retries: int | None = Field(None, ge=0, le=limits.MAX_RETRIES)
    parallel: int = Field(10, ge=1, le=limits.MAX_PARALLEL)
    """How many items run side by side."""
    on_item_failure: OnItemFailure = OnItemFailure.CONTINUE
    max_failures: Limit = 0
    """So many items may fail, a number or a share, and the node still succeeds."""

    @model_validator(mode="after")
    def _event_or_workflow(self) -> Self:
        if (self.event is None) == (self.workflow is None):
            raise ValueError("give either `event` or `workflow`, and not both")
        return self


class Case(WireModel):
    """One way out of a switch."""

    name: Name
    when: Expression = Field(alias="if")
    """An expression; the first case whose value is true is chosen."""


class SwitchNode(BaseNode):
    """Chooses one of several cases; edges with that `case` fire.

    Its output is `{"case": NAME}`, with null when none was true and no `default` is.
    """

    kind: Literal["switch"] = "switch"
    cases: list[Case] = Field(min_length=1, max_length=limits.MAX_CASES)
    default: Name | None = None

    @model_validator(mode="after")
    def _cases_differ(self) -> Self:
        known = self.names
        double = sorted({name for name in known if known.count(name) > 1})
        if double:
            raise ValueError(f"two cases have the name {double[0]}")
        return self

    @property
    def names(self) -> list[str]:
        """Every case that an edge may name."""
        return [case.name for case in self.cases] + (
            [self.default] if self.default is not None else []
        )


class WorkflowNode(BaseNode):
    """Runs another graph as one node; its output is that graph's."""

    kind: Literal["workflow"] = "workflow"
    workflow: "GraphSpec"


def _kind(value: Any) -> str:
    kind = value.get("kind", "event") if isinstance(value, dict) else value.kind
    return f"<{kind}>"


Node = Annotated[
    Annotated[EventNode, Tag("<event>")]
    | Annotated[WaitNode, Tag("<wait>")]
    | Annotated[ApprovalNode, Tag("<approval>")]
    | Annotated[MapNode, Tag("<map>")]
    | Annotated[SwitchNode, Tag("<switch>")]
    | Annotated[WorkflowNode, Tag("<workflow>")],
    Discriminator(
        _kind,
        custom_error_type="node_kind",
        custom_error_message=f"kind: expected one of {', '.join(NodeKind)}",
    ),
]
