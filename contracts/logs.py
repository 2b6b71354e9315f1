"""The words of the log way: what a worker sends, what is stored, what viewers get.

Two numbers are on a stored line. `stream_seq` is given by the worker: it counts the
lines of one stream of one start of the script from 1 without a hole, and together with
execution, target, attempt and dispatch it is the identity of the line, so that sending
it twice stores it once. `seq` is given by the gateway when the line is stored: it
counts all lines of the execution from 1 without a hole, so that one integer (`fromSeq`)
resumes a reader, which no per-stream number can do for a log of several streams.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from contracts.base import TolerantModel, WireModel
from contracts.results import ExecutionResult, Status


class Stream(StrEnum):
    """Where a line comes from."""

    STDOUT = "stdout"
    STDERR = "stderr"
    SYSTEM = "system"
    """The executor's own notices: a try begins, a limit was hit, a timeout."""
    LOG = "log"
    """What the script said with `log()` and `progress()`: text, and data beside it."""


class LineBatch(TolerantModel):
    """Consecutive lines of one stream that were read together."""

    kind: Literal["lines"] = "lines"
    execution_id: str
    target: str
    attempt: int = Field(ge=1)
    """The user-visible try, from 1."""
    dispatch: int = Field(1, ge=1)
    """How often the workflow had sent the target out, this time included. A host that
    was given up and comes back writes beside the one that took over, never into it."""
    stream: Stream
    first_seq: int = Field(ge=1)
    """`stream_seq` of `lines[0]`; the others follow without a hole."""
    timestamp: float
    """When the lines were read: seconds since 1970, worker's clock."""
    lines: list[str]
    """Redacted text without the newline; bytes that are not UTF-8 as U+FFFD."""
    raw: dict[int, str] = {}
    """Base64 of the exact bytes of each line (by index) that `lines` cannot hold."""
    data: dict[int, dict[str, Any]] = {}
    """Of lines of the stream `log`, by index: `level` and `fields`, or `progress`."""
    dropped: int = 0
    """When > 0 this is a drop mark: `lines` has one notice, which stands for the
    `dropped` stream numbers that end at `first_seq`."""


class ExecutionRecord(TolerantModel):
    """What the gateway knows of an execution besides its lines."""

    kind: Literal["execution"] = "execution"
    execution_id: str
    event_id: str
    event_name: str
    event_type: str
    user: str
    trigger: str
    status: Status
    timestamp: float
    """When the status was reached: seconds since 1970."""
    workflow_id: str
    run_id: str = ""
    result: ExecutionResult | None = None
    """Only in the record with the final status."""


Record = Annotated[LineBatch | ExecutionRecord, Field(discriminator="kind")]


class IngestMessage(TolerantModel):
    """Worker → gateway: one record, numbered per connection from 1."""

    id: int = Field(ge=1)
    record: Record


class IngestReply(TolerantModel):
    """Gateway → worker: everything up to `id` is stored, or one record is refused."""

    type: Literal["ack", "refused"]
    id: int
    reason: str = ""


class LogLine(WireModel):
    """One stored line, as REST and viewers see it."""

    seq: int
    """Number within the execution, from 1 without a hole."""
    target: str
    attempt: int
    dispatch: int = 1
    stream: Stream
    stream_seq: int
    timestamp: datetime
    text: str
    raw: str | None = None
    """Base64 of the exact bytes when `text` cannot hold them."""
    dropped: int = 0
    data: dict[str, Any] | None = None
    """What a line of the stream `log` was made from: `level` and `fields`, or
    `progress` with `fraction` and `text`."""


class ViewerLines(WireModel):
    """Gateway → viewer: the next lines in order of `seq`."""

    type: Literal["lines"] = "lines"
    lines: list[LogLine]


class ViewerStatus(WireModel):
    """Gateway → viewer: the execution's status changed."""

    type: Literal["status"] = "status"
    status: Status


class ViewerEnd(WireModel):
    """Gateway → viewer: the execution is over and every line was sent."""

    type: Literal["end"] = "end"
    status: Status
    last_seq: int
    complete: bool = True
    """False when lines that the worker counted have not arrived (yet)."""


class ViewerCutOff(WireModel):
    """Gateway → viewer: too slow; connect again with `fromSeq = resume_from`."""

    type: Literal["cutoff"] = "cutoff"
    resume_from: int
    reason: str


ViewerMessage = Annotated[
    ViewerLines | ViewerStatus | ViewerEnd | ViewerCutOff, Field(discriminator="type")
]
