"""One graph at work: begins what may begin, and keeps the rows that people see."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from contracts.errors import ErrorInfo
    from contracts.graph_nodes import (
        ApprovalNode,
        BaseNode,
        Concurrency,
        EventNode,
        MapNode,
        NodeKind,
        SwitchNode,
        WaitNode,
        WorkflowNode,
    )
    from contracts.graph_parts import RunInfo
    from contracts.graph_results import NodeResult
    from contracts.graphs import GraphSpec, Reuse
    from contracts.results import Status
    from workflows.endings import total
    from workflows.graphs import ends
    from workflows.graphs.brake import Brake
    from workflows.graphs.events import run_event
    from workflows.graphs.gates import TAKEN, YIELDED, Gates, KeyTaken
    from workflows.graphs.job import Fields, Job, NodeFailed, info_of, variables
    from workflows.graphs.maps import run_map
    from workflows.graphs.parts import run_graph_part
    from workflows.graphs.pauses import run_approval, run_switch, run_wait
    from workflows.graphs.progress import BAD, End, Phase, Progress
    from workflows.graphs.scope import data_of, default_input, reads_of_node
    from workflows.pacing import Pacer, history_is_full

# These hold no place among the nodes that run side by side.
IDLE_KINDS = frozenset({NodeKind.WAIT, NodeKind.APPROVAL, NodeKind.SWITCH})


class GraphRun:
    """Runs the nodes of one graph, each at most once unless somebody says otherwise.

    Args:
        spec: The graph.
        run: What all nodes have in common.
        value: The graph's input.
        changed: Called when a row has changed.
        reuse: Ends of an earlier run that are taken as they are.
        paused: Whether no node may begin yet.
    """

    def __init__(
        self,
        spec: GraphSpec,
        run: RunInfo,
        value: Any,
        changed: Callable[[], None],
        reuse: Mapping[str, Reuse] | None = None,
        *,
        paused: bool = False,
    ) -> None:
        self.spec = spec
        self._run = run
        self._input = value
        self._changed = changed
        self._reuse = dict(reuse or {})
        self.nodes: dict[str, BaseNode] = spec.by_id
        self.progress = Progress(spec.nodes)
        self.rows = {
            node.id: NodeResult(node=node.id, kind=node.does) for node in spec.nodes
        }
        self.tasks: dict[str, asyncio.Task[Fields]] = {}
        self.jobs: dict[str, Job] = {}
        self.rounds: dict[str, int] = {}
        self._stops: dict[str, Fields] = {}
        """What a node that was stopped has come to."""
        self._pacer = Pacer()
        self.gates = Gates()
        self._error: BaseException | None = None
        self.released = False
        self.brake = Brake(on=paused)
        self.cancelled = False
        self.reason = "on request"
        self.timed_out = False
        self.refused: ErrorInfo | None = None
        self.over = False

    def admit(self, run: RunInfo) -> None:
        """Take what the operator's settings allow."""
        self._run = run

    async def run(self) -> None:
        """Run it. Whatever happens, also a cancel, is in the rows."""
        limit = self.spec.timeout_seconds
        clock = asyncio.create_task(self._expire(limit)) if limit else None
        try:
            while True:
                self._begin_ready()
                if self._is_to_end():
                    break
                await workflow.wait_condition(self._has_news)
                self._raise_fault()
        except asyncio.CancelledError:
            self.cancelled = True
        if clock is not None:
            clock.cancel()
        if self.cancelled or self.timed_out:
            await self._stop_all()
        self.over = True
        self._mark_handled()

    def refuse(self, why: ErrorInfo) -> None:
        """End without having begun, since it cannot or need not be run."""
        self.refused, self.over = why, True
        for name in self.progress.order:
            self.update(name, status=Status.SKIPPED, error=why)

    def cancel_before_it_began(self) -> None:
        """End without having begun."""
        self.cancelled = self.over = True
        self._end_waiting()

    @property
    def failed(self) -> list[str]:
        """The nodes whose failure makes the run fail."""
        return self.progress.failed(strict=self.spec.strict)

    def _has_news(self) -> bool:
        return self._error is not None or self._is_to_end() or self._next() is not None

    def _is_to_end(self) -> bool:
        stopped = self.timed_out or self.cancelled
        return stopped or (self.progress.over and not self.held)

    def displace(self) -> None:
        """End, since a later run of its concurrency key takes its place."""
        self.cancelled = True
        self.reason = "since a later run of its key took its place"

    @property
    def held(self) -> bool:
        """Whether all nodes have ended, and the run waits for somebody."""
        return (
            self.spec.hold_on_failure
            and not self.over
            and not self.released
            and self.progress.over
            and bool(self.failed)
        )

    def pause(self, *, paused: bool) -> None:
        """Begin no other node, or begin nodes again; a run that is held ends then."""
        self.released = self.held and not paused
        self.brake.set(on=paused)
        self._changed()

    @property
    def is_ending(self) -> bool:
        """Whether no node may begin any more."""
        return self.over or self.cancelled or self.timed_out

    def _next(self) -> str | None:
        """Return a node that may begin now."""
        if self.brake.on or self.cancelled:
            return None
        busy = sum(1 for name in self.tasks if not self._is_idle(name))
        for name in self.progress.ready:
            if name in self._reuse or self._is_idle(name) or busy < self.spec.parallel:
                return name
        return None

    def _is_idle(self, name: str) -> bool:
        return self.rows[name].kind in IDLE_KINDS

    def _begin_ready(self) -> None:
        while (name := self._next()) is not None:
            self.progress.begin(name)
            earlier = self._reuse.pop(name, None)
            if earlier is not None:
                self.settle(name, ends.reused(earlier))
            else:
                self._begin(name)

    def _begin(self, name: str) -> None:
        self.update(name, status=Status.RUNNING, started_at=workflow.now().timestamp())
        task = asyncio.create_task(self._carry(name))
        self.tasks[name] = task
        limit = self.nodes[name].timeout_seconds
        clock = asyncio.create_task(self._expire_node(name, limit)) if limit else None
        # Not at the end of `_carry`, which a quick cancel keeps from beginning.
        task.add_done_callback(lambda done: self._leave(name, done, clock))

    async def _carry(self, name: str) -> Fields:
        try:
            if history_is_full():
                raise NodeFailed(ends.HISTORY_FULL)
            job = self.jobs[name] = await self._job(name)
            limit = getattr(job.node, "concurrency", None)
            if limit is None:
                return await _work(job)
            return await self._work_in_turn(job, limit)
        except NodeFailed as failure:
            return {"status": Status.FAILURE, "error": failure.info}

    async def _work_in_turn(self, job: Job, limit: Concurrency) -> Fields:
        name = job.node.id
        key = str(job.value(limit.key, "concurrency.key"))
        fields = {**ends.cancelled(""), "error": YIELDED}
        job.update(waiting_for="a place among the runs of its key")
        try:
            return await self.gates.hold(
                limit,
                key,
                self._run.user,
                f"{name}~{job.round}",
                lambda: self.stop(name, fields),
                lambda: _begin(job),
            )
        except KeyTaken:
            return {"status": Status.SKIPPED, "error": TAKEN}
        except FailureError as error:
            if is_cancelled_exception(error):
                raise asyncio.CancelledError from None
            raise NodeFailed(info_of(error, "GateUnavailable")) from None

    async def _job(self, name: str) -> Job:
        node, rows = self.nodes[name], self.rows
        reads = reads_of_node(node)
        found = await variables(self._run, reads.variables) if reads.variables else {}
        read = [rows[other] for other in rows if other in reads.nodes]
        round_ = self.rounds.get(name, 0)
        job = Job(
            spec=self.spec,
            node=node,
            run=self._run,
            place=self._run.place + name,
            data=data_of(self._run, self._input, read, found),
            input=None,
            update=lambda **fields: self.update(name, **fields),
            pacer=self._pacer,
            brake=self.brake,
            earlier=round_ * self._tries_of(node),
            round=round_,
        )
        if isinstance(node, MapNode):
            return job  # Its input is that of its items.
        if node.input is not None:
            job.input = job.value(node.input, "input")
        else:
            fired = self.progress.fired(name)
            job.input = default_input(node, fired, rows, self._input)
        return job

    def _tries_of(self, node: BaseNode) -> int:
        if isinstance(node, EventNode) or (
            isinstance(node, MapNode) and node.event is not None
        ):
            return self.spec.event_of(node).retries + 1
        return 1

    def _leave(
        self,
        name: str,
        task: asyncio.Task[Fields],
        clock: asyncio.Task[None] | None,
    ) -> None:
        self.tasks.pop(name)
        self.jobs.pop(name, None)
        if clock is not None:
            clock.cancel()
        stop = self._stops.pop(name, None)
        if task.cancelled():
            self.settle(name, stop or ends.cancelled(self._why()))
            return
        error = task.exception()
        if error is not None:
            self._error = self._error or error
            return
        fields = task.result()
        if fields["status"] is Status.CANCELLED:
            fields = {**fields, **(stop or {})}
        self.settle(name, fields)

    def _why(self) -> str:
        return "the run took too long" if self.timed_out else self.reason

    def settle(self, name: str, fields: Fields) -> None:
        """Note how a node ended, and what follows from it."""
        passes = fields.pop("passes", False)
        row = self.rows[name]
        if "logs" in fields:
            fields = {**fields, "logs": total(row.logs, fields["logs"])}
        now = workflow.now().timestamp()
        self.update(name, **fields, ended_at=now, waiting_for="")
        row = self.rows[name]
        if row.status is Status.SKIPPED:
            skipped = self.progress.skip(name, passes=passes)
        else:
            end = End(row.status, row.condition, row.case)
            skipped = self.progress.finish(name, end)
        for other in skipped:
            edge = self.progress.dead_edge(other)
            stopping = self.cancelled or self.timed_out
            never = self._never_began() if stopping else ends.not_reached(edge)
            self.update(other, **never)
        self._mark_handled()

    def _mark_handled(self) -> None:
        for name, row in self.rows.items():
            if row.status in BAD and row.handled != self.progress.handled(name):
                self.update(name, handled=self.progress.handled(name))

    def stop(self, name: str, fields: Fields) -> None:
        """Stop a node that runs; it ends with these fields."""
        if name in self.tasks and name not in self._stops:
            self._stops[name] = fields
            self.tasks[name].cancel()

    async def _stop_all(self) -> None:
        # In the order of their beginnings, the same on every replay.
        for task in list(self.tasks.values()):
            task.cancel()
        await workflow.wait_condition(lambda: not self.tasks)
        self._raise_fault()
        self._end_waiting()

    def _end_waiting(self) -> None:
        for name in self.progress.order:
            if self.progress.phase(name) in (Phase.WAITING, Phase.READY):
                self.settle(name, self._never_began())

    def _never_began(self) -> Fields:
        return ends.cancelled(f"before it began: {self._why()}")

    async def _expire(self, seconds: float) -> None:
        await workflow.sleep(seconds, summary="limit of the run")
        self.timed_out = True

    async def _expire_node(self, name: str, seconds: float) -> None:
        await workflow.sleep(seconds, summary=f"{name}: limit of the node")
        self.stop(name, ends.timed_out(seconds))

    def _raise_fault(self) -> None:
        if self._error is not None:
            # A fault of ours: the workflow task fails, and goes on once it is mended.
            raise self._error

    def update(self, name: str, **fields: Any) -> None:
        """Change fields of a node's row."""
        self.rows[name] = self.rows[name].model_copy(update=fields)
        self._changed()


def _work(job: Job) -> Coroutine[Any, Any, Fields]:
    match job.node:
        case EventNode():
            return run_event(job, job.node)
        case MapNode():
            return run_map(job, job.node)
        case WorkflowNode():
            return run_graph_part(job, job.node.workflow, job.input, job.place)
        case WaitNode():
            return run_wait(job, job.node)
        case ApprovalNode():
            return run_approval(job, job.node)
        case SwitchNode():
            return run_switch(job, job.node)
    raise AssertionError(job.node.id)


async def _begin(job: Job) -> Fields:
    job.update(waiting_for="")
    return await _work(job)
