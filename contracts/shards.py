"""What a fan-out and its parts say to each other.

A large fan-out is spread over child workflows. They share one window: a permit is the
right to have one server running. A part gives back the permits that it can no longer
use, and its parent hands them to the next part. All numbers count from the part's
beginning, so that a word that comes twice or late does no harm.
"""

from pydantic import Field

from contracts.base import TolerantModel, WireModel
from contracts.errors import ErrorInfo
from contracts.events import EventRequest
from contracts.results import TargetResult
from contracts.runs import Admission


class ShardRequest(WireModel):
    """One part of a fan-out: argument of `FanOutShard`."""

    request: EventRequest
    """With this part's targets alone, in the order of their turns."""
    admission: Admission
    index: int = Field(ge=0)
    batches: list[int]
    """Sizes of the batches, which together are all targets."""
    permits: int = Field(ge=1)
    max_failures: int | None = None
    failed_before: int = 0
    """How many servers of other parts had failed when this one began."""
    rows_bytes: int
    """How much its rows may take of the result, outputs apart."""
    node: str = ""
    """Name of the graph's node that it is of; "" when the execution is one event."""
    earlier: int = 0
    """Tries of an earlier round of the node."""


class ShardReport(TolerantModel):
    """How far a part is: signal to its parent."""

    index: int
    done: int = 0
    failed: int = 0
    running: int = 0
    returned: int = 0
    """Permits that were given back."""


class ShardSteering(TolerantModel):
    """What a parent says to a part: signal."""

    permits: int
    """All that were granted."""
    stop: ErrorInfo | None = None
    """Why no other server is to begin."""
    abort: bool = False
    """Whether the scripts that run are to be stopped as well."""


class ShardResult(WireModel):
    """How a part ended: a row for each target, in the order of their turns."""

    rows: list[TargetResult]
    omitted: list[str] = []
    """Names of servers for whose outputs there was no room."""
