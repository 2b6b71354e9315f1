"""The targets of one execution: one, several in this workflow, or parts in children."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.events import EventRequest, EventSpec
    from contracts.fanout import FanOut
    from contracts.limits import MAX_ROWS_BYTES
    from contracts.results import TargetResult
    from contracts.runs import Admission
    from contracts.servers import ServerSpec
    from contracts.shards import ShardReport
    from workflows import tally
    from workflows.endings import cancelling
    from workflows.pacing import Pacer
    from workflows.plan import Plan
    from workflows.target import WHOLE, Place, TargetRun
    from workflows.window import Window


class Targets(Protocol):
    """What an execution runs on."""

    @property
    def rows(self) -> list[TargetResult]:
        """Where each stands, in the order of the event's list."""

    @property
    def standing(self) -> ShardReport | None:
        """How far several are together; None of one."""

    async def run(self) -> None:
        """Run on all of them; whatever happens, also a cancel, is in the rows."""

    def cancel(self, why: str) -> None:
        """End without having begun."""

    def result(self) -> dict[str, Any]:
        """Return what they come to, as fields of an execution's result."""


class OneTarget:
    """A container, a request, or a single server.

    Args:
        request: The order.
        admission: What the operator's settings allow.
        changed: Called when its row has changed.
        pacer: Asked before every start, where others are sent out beside it.
        place: Where in a graph it stands.
    """

    def __init__(
        self,
        request: EventRequest,
        admission: Admission,
        changed: Callable[[], None],
        pacer: Pacer | None = None,
        place: Place = WHOLE,
    ) -> None:
        servers = request.event.servers
        self._run = (
            server_run(request, servers[0], admission, changed, pacer, place)
            if servers
            else TargetRun(request, admission, changed, pacer=pacer, place=place)
        )

    @property
    def rows(self) -> list[TargetResult]:
        """See `Targets`."""
        return [self._run.row]

    @property
    def standing(self) -> ShardReport | None:
        """See `Targets`."""
        return None

    async def run(self) -> None:
        """See `Targets`."""
        task = asyncio.ensure_future(self._run.run())
        try:
            await asyncio.gather(task)
        except asyncio.CancelledError:
            # gather passes the cancel on and then raises whatever its child made of
            # it; it ends as a result, once its sandbox is gone.
            await task

    def cancel(self, why: str) -> None:
        """See `Targets`."""
        self._run.cancel(why)

    def result(self) -> dict[str, Any]:
        """See `Targets`."""
        row = self._run.row
        return {
            "status": row.status,
            "exit_code": row.exit_code,
            "durations": row.durations,
            "output": row.output,
            "condition": row.condition,
            "error": row.error,
            "logs": row.logs,
            "attempts": row.attempts,
            "targets": [row],
        }


class ManyTargets:
    """Servers, side by side in this workflow.

    Args:
        request: The order.
        plan: How it goes.
        admission: What the operator's settings allow.
        changed: Called when a row has changed.
        place: Where in a graph they stand.
    """

    def __init__(
        self,
        request: EventRequest,
        plan: Plan,
        admission: Admission,
        changed: Callable[[], None],
        place: Place = WHOLE,
    ) -> None:
        pacer = Pacer()
        self._runs = {
            server.name: server_run(
                request, server, admission, changed, pacer, place, alone=False
            )
            for server in request.event.servers
        }
        batches = [plan.canary, *plan.batches] if plan.canary else plan.batches
        self._window = Window(
            [[self._runs[server.name] for server in batch] for batch in batches],
            plan.fan_out,
            plan.forks,
            plan.max_failures,
            canary=bool(plan.canary),
        )
        self._cancelled = False

    @property
    def rows(self) -> list[TargetResult]:
        """See `Targets`."""
        return [run.row for run in self._runs.values()]

    @property
    def standing(self) -> ShardReport | None:
        """See `Targets`."""
        window = self._window
        return ShardReport(
            index=0, done=window.done, failed=window.failed, running=window.running
        )

    async def run(self) -> None:
        """See `Targets`."""
        await self._window.run()
        self._cancelled = cancelling()

    def cancel(self, why: str) -> None:
        """See `Targets`."""
        self._cancelled = True
        for run in self._runs.values():
            run.cancel(why)

    def result(self) -> dict[str, Any]:
        """See `Targets`."""
        return result_of(self.rows, [], cancelled=self._cancelled)


def result_of(
    rows: list[TargetResult], omitted: list[str], *, cancelled: bool
) -> dict[str, Any]:
    """Return what several targets come to, as fields of an execution's result."""
    bare = [row.model_copy(update={"output": None}) for row in rows]
    return {
        **tally.summary(rows, cancelled=cancelled),
        "output": tally.gather_outputs(rows, omitted),
        "targets": tally.fit(bare, MAX_ROWS_BYTES),
    }


def server_run(
    request: EventRequest,
    server: ServerSpec,
    admission: Admission,
    changed: Callable[[], None],
    pacer: Pacer | None,
    place: Place = WHOLE,
    *,
    alone: bool = True,
) -> TargetRun:
    """Return the run on one server. It is not sent what concerns others alone."""
    event = request.event
    own: dict[str, Any] = {"targets": None, "fan_out": None, "actions": []}
    override = (event.fan_out or FanOut()).overrides.get(server.name)
    if override is not None:
        own |= override.model_dump(exclude_none=True, by_alias=False)
    order = request.model_copy(update={"event": _copied(event, own)})
    return TargetRun(order, admission, changed, server, pacer, place, alone=alone)


def _copied(event: EventSpec, fields: dict[str, Any]) -> EventSpec:
    return event.model_copy(update=fields)
