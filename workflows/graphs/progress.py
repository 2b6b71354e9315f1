"""Which nodes may begin, and which never will: the rules of edges and joins.

Pure bookkeeping without Temporal or time, so that a model can check it and a replay
comes to the same answers. Order is that of the graph's list everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from contracts.graph_nodes import BaseNode, Edge, EdgeWhen, Join
from contracts.graph_shape import order_of
from contracts.results import Status

BAD = frozenset({Status.FAILURE, Status.TIMEOUT, Status.LOST, Status.PARTIAL})


@dataclass(frozen=True)
class End:
    """How a node ended, as far as edges ask."""

    status: Status
    condition: bool | None = None
    case: str | None = None
    passes: bool = False
    """Of a node that somebody skipped: what follows runs as if it had succeeded."""


class Phase(Enum):
    """What is known of a node."""

    WAITING = "waiting"
    """Edges are open."""
    READY = "ready"
    """It may begin."""
    BEGUN = "begun"
    ENDED = "ended"


def fires(edge: Edge, node: BaseNode, end: End) -> bool:
    """Whether an edge fires after its node ended so."""
    if end.status is Status.SKIPPED:
        return end.passes and edge.when in (EdgeWhen.ALWAYS, EdgeWhen.ON_SUCCESS)
    if end.status is Status.CANCELLED:
        return False
    good = end.status is Status.SUCCESS
    match edge.when:
        case EdgeWhen.ALWAYS:
            return True
        case EdgeWhen.ON_SUCCESS:
            return good or node.continue_on_failure
        case EdgeWhen.ON_FAILURE:
            return not good
        case EdgeWhen.ON_CONDITION:
            return end.condition is True
        case EdgeWhen.ON_CONDITION_FALSE:
            return end.condition is False
        case EdgeWhen.ON_CASE:
            return good and edge.case == end.case


@dataclass
class _Standing:
    node: BaseNode
    phase: Phase = Phase.WAITING
    end: End | None = None
    by_hand: bool = False
    dead_edge: Edge | None = None
    behind: list[str] = field(default_factory=list)


class Progress:
    """Where the nodes of one graph stand.

    Args:
        nodes: Of a graph that was found to be one.
    """

    def __init__(self, nodes: Sequence[BaseNode]) -> None:
        self._all = {node.id: _Standing(node) for node in nodes}
        self._order = order_of(nodes)
        for node in nodes:
            for name in dict.fromkeys(edge.node for edge in node.after):
                self._all[name].behind.append(node.id)
        self._ready: dict[str, None] = {}
        self._open = len(self._all)
        for node in nodes:
            self._look(node.id)

    @property
    def ready(self) -> list[str]:
        """The nodes that may begin, in the order in which they came to it."""
        return list(self._ready)

    @property
    def over(self) -> bool:
        """Whether every node has ended."""
        return not self._open

    @property
    def order(self) -> list[str]:
        """All nodes, each after those before it."""
        return self._order

    def phase(self, name: str) -> Phase:
        """Return what is known of a node."""
        return self._all[name].phase

    def end_of(self, name: str) -> End | None:
        """Return how a node ended; None while it has not."""
        return self._all[name].end

    def dead_edge(self, name: str) -> Edge | None:
        """Return the edge since which a node was skipped; None when by hand."""
        return self._all[name].dead_edge

    def fired(self, name: str) -> list[str]:
        """Return the nodes whose edges to a node have fired, in order of its list."""
        found = []
        for edge in self._all[name].node.after:
            end = self._all[edge.node].end
            if end is not None and self._fires(edge, end):
                found.append(edge.node)
        return list(dict.fromkeys(found))

    def begin(self, name: str) -> None:
        """Note that a node that was ready has begun."""
        del self._ready[name]
        self._all[name].phase = Phase.BEGUN

    def finish(self, name: str, end: End) -> list[str]:
        """Note how a node ended; return those that are skipped because of it."""
        self._ready.pop(name, None)
        standing = self._all[name]
        standing.phase, standing.end = Phase.ENDED, end
        self._open -= 1
        return self._spread(name)

    def skip(self, name: str, *, passes: bool) -> list[str]:
        """End a node that has not begun, by hand; return those skipped because of it.

        Args:
            name: Which node.
            passes: Whether what follows runs as if it had succeeded.
        """
        self._all[name].by_hand = True
        return self.finish(name, End(Status.SKIPPED, passes=passes))

    def reopen(self, name: str) -> list[str]:
        """Let an ended node run again; return those that wait once more with it.

        Nodes behind it that have begun keep what they came to; those that were skipped
        get another chance.
        """
        self._set_waiting(name)
        again = {name}
        for other in self._order:
            standing = self._all[other]
            behind = any(edge.node in again for edge in standing.node.after)
            skipped = standing.end is not None and standing.end.status is Status.SKIPPED
            if behind and skipped and not standing.by_hand:
                self._set_waiting(other)
                again.add(other)
        for other in self._order:
            if other in again:
                self._look(other)
        return [other for other in self._order if other in again]

    def handled(self, name: str) -> bool:
        """Whether a node failed and that was foreseen.

        By an edge `on_failure` to a node that has begun, or since the node says
        `continueOnFailure`.
        """
        standing = self._all[name]
        if standing.end is None or standing.end.status not in BAD:
            return False
        return standing.node.continue_on_failure or any(
            edge.node == name and edge.when is EdgeWhen.ON_FAILURE
            for other in standing.behind
            if self._has_run(other)
            for edge in self._all[other].node.after
        )

    def failed(self, *, strict: bool) -> list[str]:
        """Return the nodes whose failure makes the run fail, in order of the list."""
        return [
            name
            for name, standing in self._all.items()
            if standing.end is not None
            and standing.end.status in BAD
            and (strict or not self.handled(name))
        ]

    def _has_run(self, name: str) -> bool:
        standing = self._all[name]
        if standing.phase is Phase.ENDED and standing.end is not None:
            return standing.end.status is not Status.SKIPPED
        return standing.phase is Phase.BEGUN

    def _set_waiting(self, name: str) -> None:
        standing = self._all[name]
        standing.phase, standing.end = Phase.WAITING, None
        self._open += 1
        standing.by_hand, standing.dead_edge = False, None

    def _spread(self, name: str) -> list[str]:
        skipped: list[str] = []
        ended = [name]
        for current in ended:
            for other in self._all[current].behind:
                if self._look(other):
                    skipped.append(other)
                    ended.append(other)
        return skipped

    def _look(self, name: str) -> bool:
        """Decide on a node whose edges may have changed; return if it is skipped."""
        standing = self._all[name]
        if standing.phase is not Phase.WAITING:
            return False
        dead: list[Edge] = []
        fired = open_ = 0
        for edge in standing.node.after:
            end = self._all[edge.node].end
            if end is None:
                open_ += 1
            elif self._fires(edge, end):
                fired += 1
            else:
                dead.append(edge)
        if standing.node.join is Join.ALL:
            may_begin, never = not open_ and not dead, bool(dead)
        else:
            may_begin = bool(fired) or not standing.node.after
            never = not may_begin and not open_
        if never:
            standing.phase, standing.end = Phase.ENDED, End(Status.SKIPPED)
            standing.dead_edge = dead[0]
            self._open -= 1
        elif may_begin:
            standing.phase = Phase.READY
            self._ready[name] = None
        return never

    def _fires(self, edge: Edge, end: End) -> bool:
        return fires(edge, self._all[edge.node].node, end)
