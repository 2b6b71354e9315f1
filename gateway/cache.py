"""What the writer knows without asking the database: next numbers and streams.

Entries follow committed transactions only. Dropping one is always safe: it is loaded
again at its next use.
"""

from collections import OrderedDict
from dataclasses import dataclass, field, replace

from gateway.live import Source, Summary

_MAX_EXECUTIONS = 5_000


@dataclass(slots=True)
class StreamState:
    """One stream of one try."""

    key: int
    highest: int


@dataclass(slots=True)
class ExecutionState:
    """One execution as it will be after the running transaction."""

    key: int
    execution_id: str
    summary: Summary
    last_seq: int
    streams: dict[Source, StreamState] = field(default_factory=dict)

    def copy(self) -> "ExecutionState":
        """Return a state that can change without changing this one."""
        streams = {source: replace(state) for source, state in self.streams.items()}
        return replace(self, streams=streams)


class StateCache:
    """The states of the executions that were written to last."""

    def __init__(self, size: int = _MAX_EXECUTIONS) -> None:
        self._size = size
        self._states: OrderedDict[str, ExecutionState] = OrderedDict()

    def get(self, execution_id: str) -> ExecutionState | None:
        """Return the committed state of an execution, if it is known."""
        return self._states.get(execution_id)

    def put(self, state: ExecutionState) -> None:
        """Remember a state that was committed."""
        self._states[state.execution_id] = state
        self._states.move_to_end(state.execution_id)
        while len(self._states) > self._size:
            self._states.popitem(last=False)

    def clear(self) -> None:
        """Forget everything, because somebody else may have written."""
        self._states.clear()

    def forget(self, execution_id: str) -> None:
        """Forget one execution."""
        self._states.pop(execution_id, None)
