"""One graph at work: begins what may begin, and keeps the rows that people see."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from contracts.errors import ErrorInfo
    from contracts.graph_nodes import (
        ApprovalNode,
        BaseNode,
        EventNode,
        MapNode,
        NodeKind,
        SwitchNode,
        WaitNode,
        WorkflowNode,
    )
    from contracts.graph_parts import Decision, NodeOrder, RunInfo
    from contracts.graph_results import GraphError, NodeResult
    from contracts.graphs import GraphSpec, Reuse
    from contracts.results import Status
    from workflows.endings import total
    from workflows.graphs import ends
    from workflows.graphs.events import run_event
    from workflows.graphs.job import Fields, Job, NodeFailed, variables
    from workflows.graphs.maps import run_map
    from workflows.graphs.parts import run_graph_part
    from workflows.graphs.pauses import decided, run_approval, run_switch, run_wait
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
    """

    def __init__(
        self,
        spec: GraphSpec,
        run: RunInfo,
        value: Any,
        changed: Callable[[], None],
        reuse: Mapping[str, Reuse] | None = None,
    ) -> None:
        self.spec = spec
        self._run = run
        self._input = value
        self._changed = changed
        self._reuse = dict(reuse or {})
        self._nodes: dict[str, BaseNode] = spec.by_id
        self.progress = Progress(spec.nodes)
        self.rows = {
            node.id: NodeResult(node=node.id, kind=NodeKind(node.kind))
            for node in spec.nodes
        }
        self._tasks: dict[str, asyncio.Task[Fields]] = {}
        self._jobs: dict[str, Job] = {}
        self._rounds: dict[str, int] = {}
        self._stops: dict[str, Fields] = {}
        """What a node that was stopped has come to."""
        self._pacer = Pacer()
        self._error: BaseException | None = None
        self._released = False
        self.paused = False
        self.cancelled = False
        self.timed_out = False
        self.over = False

    async def run(self) -> None:
        """Run it. Whatever happens, also a cancel, is in the rows."""
        limit = self.spec.timeout_seconds
        clock = asyncio.create_task(self._expire(limit)) if limit else None
        try:
            while True:
                self._begin_ready()
                if self.timed_out or (self.progress.over and not self.held):
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

    def cancel_before_it_began(self) -> None:
        """End without having begun."""
        self.cancelled = self.over = True
        self._end_waiting()

    # What people may say to a run; each refuses with a reason.

    def check_decision(self, said: Decision) -> None:
        """Refuse a yes or no that no node waits for."""
        node = self._node(said.node)
        if not isinstance(node, ApprovalNode):
            raise refusal(f"{said.node} is no approval")
        job = self._jobs.get(said.node)
        if self.rows[said.node].status is not Status.RUNNING or job is None:
            raise refusal(f"{said.node} is not waiting: {self._standing(said.node)}")
        if job.decision is not None:
            raise refusal(f"{said.node} was decided already, by {job.decision.by}")
        if node.approvers and said.by not in node.approvers:
            raise refusal(f"{said.by} may not decide on {said.node}")

    def decide(self, said: Decision) -> None:
        """Take a yes or no."""
        verdict = "approved" if said.approved else "rejected"
        self._note(said.node, verdict, said.by, said.why)
        self._jobs[said.node].decision = said

    def check_skip(self, order: NodeOrder) -> None:
        """Refuse to skip a node that has ended."""
        self._node(order.node)
        if self.progress.phase(order.node) is Phase.ENDED:
            raise refusal(f"{order.node} has ended: {self._standing(order.node)}")

    def skip(self, order: NodeOrder) -> None:
        """Skip a node: one that runs is stopped first."""
        name = order.node
        self._note(name, "skipped", order.by, order.why)
        fields: Fields = {
            "status": Status.SKIPPED,
            "error": ErrorInfo(
                type=GraphError.SKIPPED_BY_HAND, message=f"{order.by} skipped it."
            ),
            "passes": order.passes,
        }
        if name in self._tasks:
            self._stop(name, fields)
        else:
            self._settle(name, fields)

    def check_retry(self, order: NodeOrder) -> None:
        """Refuse to run a node again that has not failed."""
        self._node(order.node)
        if self.rows[order.node].status not in BAD:
            raise refusal(f"{order.node} has not failed: {self._standing(order.node)}")
        if self.over or self.cancelled or self.timed_out:
            raise refusal("the run is over: start it again with `rerun`")

    def retry(self, order: NodeOrder) -> None:
        """Let a failed node run again, and what was skipped because of it."""
        for name in self.progress.reopen(order.node):
            row = self.rows[name]
            self.rows[name] = NodeResult(
                node=name, kind=row.kind, decisions=row.decisions, logs=row.logs
            )
        self._rounds[order.node] = self._rounds.get(order.node, 0) + 1
        self._note(order.node, "retried", order.by, order.why)

    @property
    def failed(self) -> list[str]:
        """The nodes whose failure makes the run fail."""
        return self.progress.failed(strict=self.spec.strict)

    def _node(self, name: str) -> BaseNode:
        node = self._nodes.get(name)
        if node is None:
            known = ", ".join(list(self._nodes)[:20])
            raise refusal(f"no node has the id {name} (known: {known})")
        return node

    def _standing(self, name: str) -> str:
        return f"it stands at {self.rows[name].status}"

    def _note(self, name: str, verdict: str, by: str, why: str) -> None:
        said = [*self.rows[name].decisions, decided(verdict, by, why)]
        self._update(name, decisions=said)

    # Beginning and ending.

    def _has_news(self) -> bool:
        return (
            self._error is not None
            or self.timed_out
            or (self.progress.over and not self.held)
            or self._next() is not None
        )

    @property
    def held(self) -> bool:
        """Whether all nodes have ended, and the run waits for somebody."""
        return (
            self.spec.hold_on_failure
            and not self.over
            and not self._released
            and self.progress.over
            and bool(self.failed)
        )

    def pause(self) -> None:
        """Begin no other node; those that run go on."""
        self.paused = True
        self._changed()

    def resume(self) -> None:
        """Begin nodes again; a run that is held ends."""
        self._released = self.held
        self.paused = False
        self._changed()

    def _next(self) -> str | None:
        """Return a node that may begin now."""
        if self.paused or self.cancelled:
            return None
        busy = sum(1 for name in self._tasks if not self._is_idle(name))
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
                self._settle(name, ends.reused(earlier))
            else:
                self._begin(name)

    def _begin(self, name: str) -> None:
        self._update(name, status=Status.RUNNING, started_at=workflow.now().timestamp())
        task = asyncio.create_task(self._carry(name))
        self._tasks[name] = task
        limit = self._nodes[name].timeout_seconds
        clock = asyncio.create_task(self._expire_node(name, limit)) if limit else None
        # Not at the end of `_carry`, which a quick cancel keeps from beginning.
        task.add_done_callback(lambda done: self._leave(name, done, clock))

    async def _carry(self, name: str) -> Fields:
        try:
            if history_is_full():
                raise NodeFailed(ends.HISTORY_FULL)
            job = self._jobs[name] = await self._job(name)
            return await _work(job)
        except NodeFailed as failure:
            return {"status": Status.FAILURE, "error": failure.info}

    async def _job(self, name: str) -> Job:
        node, rows = self._nodes[name], self.rows
        reads = reads_of_node(node)
        found = await variables(self._run, reads.variables) if reads.variables else {}
        read = [rows[other] for other in rows if other in reads.nodes]
        round_ = self._rounds.get(name, 0)
        job = Job(
            spec=self.spec,
            node=node,
            run=self._run,
            place=self._run.place + name,
            data=data_of(self._run, self._input, read, found),
            input=None,
            update=lambda **fields: self._update(name, **fields),
            pacer=self._pacer,
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
        self._tasks.pop(name)
        self._jobs.pop(name, None)
        if clock is not None:
            clock.cancel()
        stop = self._stops.pop(name, None)
        if task.cancelled():
            self._settle(name, stop or ends.cancelled(self._why()))
            return
        error = task.exception()
        if error is not None:
            self._error = self._error or error
            return
        fields = task.result()
        if fields["status"] is Status.CANCELLED:
            fields = {**fields, **(stop or {})}
        self._settle(name, fields)

    def _why(self) -> str:
        return "the run took too long" if self.timed_out else "on request"

    def _settle(self, name: str, fields: Fields) -> None:
        passes = fields.pop("passes", False)
        row = self.rows[name]
        if "logs" in fields:
            fields = {**fields, "logs": total(row.logs, fields["logs"])}
        now = workflow.now().timestamp()
        self._update(name, **fields, ended_at=now, waiting_for="")
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
            self._update(other, **never)
        self._mark_handled()

    def _mark_handled(self) -> None:
        for name, row in self.rows.items():
            if row.status in BAD and row.handled != self.progress.handled(name):
                self._update(name, handled=self.progress.handled(name))

    def _stop(self, name: str, fields: Fields) -> None:
        if name in self._tasks and name not in self._stops:
            self._stops[name] = fields
            self._tasks[name].cancel()

    async def _stop_all(self) -> None:
        # In the order of their beginnings, the same on every replay.
        for task in list(self._tasks.values()):
            task.cancel()
        await workflow.wait_condition(lambda: not self._tasks)
        self._raise_fault()
        self._end_waiting()

    def _end_waiting(self) -> None:
        for name in self.progress.order:
            if self.progress.phase(name) in (Phase.WAITING, Phase.READY):
                self._settle(name, self._never_began())

    def _never_began(self) -> Fields:
        return ends.cancelled(f"before it began: {self._why()}")

    async def _expire(self, seconds: float) -> None:
        await workflow.sleep(seconds, summary="limit of the run")
        self.timed_out = True

    async def _expire_node(self, name: str, seconds: float) -> None:
        await workflow.sleep(seconds, summary=f"{name}: limit of the node")
        self._stop(name, ends.timed_out(seconds))

    def _raise_fault(self) -> None:
        if self._error is not None:
            # A fault of ours: the workflow task fails, and goes on once it is mended.
            raise self._error

    def _update(self, name: str, **fields: Any) -> None:
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


def refusal(message: str) -> ApplicationError:
    """Return the refusal of an update, with the reason that people see."""
    return ApplicationError(message, type="OrderRefused", non_retryable=True)
