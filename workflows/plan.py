"""How a fan-out goes: order of the servers, batches, and parts for child workflows.

Pure arithmetic over names and numbers, so that it comes out the same on every replay.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from contracts.actions import EventAction
    from contracts.errors import RequestRefused
    from contracts.events import EventRequest, EventSpec
    from contracts.fanout import (
        FanOut,
        Order,
        limit_of,
        shard_size,
        size_of,
    )
    from contracts.limits import MAX_FORKS
    from contracts.servers import ServerSpec
    from contracts.validation import Problem, sentence

MOST_PROBLEMS = 20
UNRESOLVED_HINT = (
    "Whoever starts an event puts its servers in; `cronium run` takes them from "
    "servers.yaml."
)
Batch = list[ServerSpec]
Part = list[Batch]
"""Batches that one workflow runs, one after the other."""


@dataclass(frozen=True)
class Plan:
    """What is known of a fan-out before it begins."""

    fan_out: FanOut
    total: int
    forks: int
    max_failures: int | None
    canary: Batch
    batches: list[Batch]
    """Without the canary."""
    shard_size: int

    @property
    def sharded(self) -> bool:
        """Whether it is too large for one workflow."""
        return self.total > self.shard_size

    def stages(self) -> list[list[Part]]:
        """Return the parts: those of one stage share the window, stages follow."""
        stages = [
            [[piece] for piece in _slices(batch, self.shard_size)]
            for batch in [self.canary]
            if batch
        ]
        small: Part = []
        for batch in self.batches:
            if sum(map(len, small)) + len(batch) <= self.shard_size:
                small.append(batch)
                continue
            if small:
                stages.append([small])
            small = []
            pieces = _slices(batch, self.shard_size)
            if len(pieces) > 1:
                stages.append([[piece] for piece in pieces])
            else:
                small = [batch]
        return [*stages, [small]] if small else stages


def plan_of(request: EventRequest) -> Plan:
    """Return the plan of an event with targets, all of them written out."""
    fan_out = request.event.fan_out or FanOut()
    servers = in_order(request.event.servers, fan_out.order, request.execution_id)
    total = len(servers)
    first = 0 if fan_out.canary is None else size_of(fan_out.canary, total)
    limit = fan_out.max_failures
    return Plan(
        fan_out=fan_out,
        total=total,
        forks=min(MAX_FORKS, size_of(fan_out.forks, total)),
        max_failures=None if limit is None else limit_of(limit, total),
        canary=servers[:first],
        batches=_batches(servers[first:], fan_out.serial, total),
        shard_size=shard_size(request.order_bytes),
    )


def in_order(servers: Sequence[ServerSpec], order: Order, seed: str) -> Batch:
    """Return the servers in the order of their turns.

    Args:
        servers: As they are listed.
        order: Which order.
        seed: Of a random order; the same seed gives the same one.
    """
    match order:
        case Order.LISTED:
            return list(servers)
        case Order.REVERSE:
            return list(reversed(servers))
        case Order.NAME:
            return sorted(servers, key=lambda server: server.name)
        case Order.RANDOM:
            return sorted(
                servers,
                key=lambda server: hashlib.sha256(
                    f"{seed}\0{server.name}".encode()
                ).digest(),
            )


def refuse_names(event: EventSpec) -> None:
    """Refuse an event with targets that are not written out.

    Raises:
        ApplicationError: Names every such target.
    """
    problems = _unresolved(event, "event")[:MOST_PROBLEMS]
    if problems:
        raise ApplicationError(
            sentence(problems),
            [problem.model_dump(by_alias=True) for problem in problems],
            UNRESOLVED_HINT,
            type=RequestRefused.__name__,
            non_retryable=True,
        )


def _unresolved(event: EventSpec, path: str) -> list[Problem]:
    found = [
        Problem(
            path=f"{path}.targets[{index}]",
            message="a name is given, but the server itself was expected",
        )
        for index, target in enumerate(event.targets or [])
        if isinstance(target, str)
    ]
    for index, action in enumerate(event.actions):
        if isinstance(action, EventAction):
            found += _unresolved(action.spec, f"{path}.actions[{index}].event")
    return found


def _batches(
    servers: Batch, serial: Sequence[int | str] | None, total: int
) -> list[Batch]:
    if not servers:
        return []
    if serial is None:
        return [servers]
    batches: list[Batch] = []
    begin = 0
    while begin < len(servers):
        amount = serial[min(len(batches), len(serial) - 1)]
        size = size_of(amount, total)
        batches.append(servers[begin : begin + size])
        begin += size
    return batches


def _slices(servers: Batch, most: int) -> list[Batch]:
    """Return a batch in pieces of nearly the same length."""
    count = -(-len(servers) // most)
    size = -(-len(servers) // count)
    return [servers[begin : begin + size] for begin in range(0, len(servers), size)]
