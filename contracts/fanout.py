"""On which servers an event runs, and how the run spreads over them.

An amount is a number, or a share of all targets such as "25%". Shares are rounded down;
a size (`forks`, `serial`, `canary`) is at least 1, a limit (`maxFailures`) may be 0.
"""

import re
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    PlainValidator,
    StringConstraints,
    Tag,
)

from contracts import limits
from contracts.base import WireModel
from contracts.servers import ServerSpec

_SHARE = re.compile(r"(\d{1,3})\s*%")

TargetName = Annotated[
    str, StringConstraints(min_length=1, max_length=limits.MAX_NAME_LENGTH)
]
# In angle brackets: `contracts.validation` leaves them out of paths.
Target = Annotated[
    Annotated[ServerSpec, Tag("<server>")] | Annotated[TargetName, Tag("<name>")],
    Discriminator(lambda value: "<name>" if isinstance(value, str) else "<server>"),
]


def _size(value: Any) -> int | str:
    return _amount(value, 1)


def _limit(value: Any) -> int | str:
    return _amount(value, 0)


def _amount(value: Any, least: int) -> int | str:
    if isinstance(value, str) and (match := _SHARE.fullmatch(value.strip())):
        if least <= int(match[1]) <= 100:
            return f"{int(match[1])}%"
    elif isinstance(value, int) and not isinstance(value, bool) and value >= least:
        return value
    raise ValueError(f"expected a number from {least} or a share such as 25%")


Size = Annotated[int | str, PlainValidator(_size, json_schema_input_type=int | str)]
Limit = Annotated[int | str, PlainValidator(_limit, json_schema_input_type=int | str)]


def size_of(amount: int | str, total: int) -> int:
    """Return how many of all targets a size means: at least 1."""
    return max(1, limit_of(amount, total))


def limit_of(amount: int | str, total: int) -> int:
    """Return how many of all targets a limit means, rounded down."""
    if isinstance(amount, str):
        return total * int(amount.rstrip("%")) // 100
    return amount


class Order(StrEnum):
    """In which order servers have their turn."""

    LISTED = "listed"
    REVERSE = "reverse"
    NAME = "name"
    RANDOM = "random"
    """Another order for every execution, and the same when that is replayed."""


class OnFailure(StrEnum):
    """What one failed server means for the others."""

    CONTINUE = "continue"
    FAIL_FAST = "fail_fast"
    """The scripts that run elsewhere are stopped, and no other one begins."""


class FanOutError(StrEnum):
    """Why a fan-out, or a server in it, did not succeed; data in a result."""

    SERVERS_FAILED = "ServersFailed"
    STOPPED = "Stopped"
    """Since others had failed, it was not begun, or was stopped."""
    PART_LOST = "PartLost"
    """Somebody ended a part of the run from outside."""


class TargetOverride(WireModel):
    """What is different on one server; None is as in the event."""

    timeout_seconds: float | None = Field(None, gt=0, le=limits.MAX_TIMEOUT_SECONDS)
    retries: int | None = Field(None, ge=0, le=limits.MAX_RETRIES)


class FanOut(WireModel):
    """How a run spreads over its targets.

    A server has failed when its last try did: FAILURE, TIMEOUT or LOST.
    """

    forks: Size = limits.DEFAULT_FORKS
    """How many servers run side by side; at most 500, whatever the share."""
    serial: Annotated[
        list[Size] | None,
        BeforeValidator(lambda v: v if v is None or isinstance(v, list) else [v]),
    ] = Field(None, min_length=1, max_length=limits.MAX_BATCHES)
    """Batches: a size, or a list of sizes of which the last repeats. One batch ends
    before the next begins. `[1, 5, "20%"]` on 100 servers: 1, 5, 20, 20, 20, 20, 14."""
    canary: Size | None = None
    """So many servers run first, alone; when one of them fails, no other begins."""
    max_failures: Limit | None = None
    """How many servers may fail, this number included; the next failure stops the run
    from beginning on further servers, those that run go on to their end. With 2, or
    with "10%" of 25 servers, two failures are borne and the third stops it; 0 stops at
    the first. None: all may fail."""
    order: Order = Order.LISTED
    stagger_seconds: float = Field(0.0, ge=0, le=limits.MAX_STAGGER_SECONDS)
    """Least time between two servers' first tries, in seconds. No timer of Temporal's
    server fires within a second: what is between 0 and 1 works like 1."""
    on_failure: OnFailure = OnFailure.CONTINUE
    overrides: dict[TargetName, TargetOverride] = Field(
        default={}, max_length=limits.MAX_TARGETS
    )
    """By name of the server."""


def name_of(target: ServerSpec | str) -> str:
    """Return the name of a target, which is that of its rows and log lines."""
    return target if isinstance(target, str) else target.name


def shard_size(order_bytes: int) -> int:
    """Return how many targets one workflow may have.

    Args:
        order_bytes: Size of what each target is sent. It lies in the history once for
            every target, and so does the target's output.
    """
    each = order_bytes + limits.MAX_OUTPUT_BYTES
    fitting = limits.MAX_PLANNED_HISTORY_BYTES // each
    return max(1, min(limits.MAX_SHARD_TARGETS, fitting))


def most_targets(order_bytes: int) -> int:
    """Return how many targets an event may have, by what each of them is sent."""
    shards = limits.MAX_PLANNED_HISTORY_BYTES // max(1, order_bytes)
    return min(limits.MAX_TARGETS, shards * shard_size(order_bytes))
