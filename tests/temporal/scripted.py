"""A host whose activities do as a test says: for what real hosts do only when they die.

The workflow is the real one, on a real Temporal server; only what stands behind its
activities is scripted, so that each way of dying comes in a second and every time.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities import ActionActivities, GraphActivities, settle_schedule
from contracts import names
from contracts.deliveries import (
    SEND_CALLBACK,
    SEND_MESSAGE,
    CallbackOrder,
    Delivery,
    MessageOrder,
)
from contracts.errors import CroniumError
from contracts.events import EventRequest
from contracts.gates import ENTER_GATE, TICKETS_ALIVE, GateOrder, Tickets
from contracts.graph_parts import (
    ADMIT_GRAPH,
    READ_VARIABLES,
    VariablesFound,
    VariablesOrder,
)
from contracts.graphs import GraphRequest, GraphResult
from contracts.logs import ExecutionRecord
from contracts.results import (
    EXIT_CANCELLED,
    EXIT_TIMEOUT,
    ExecutionResult,
    LogCounts,
    Status,
)
from contracts.runs import (
    ADMIT_EXECUTION,
    RECORD_EXECUTION,
    RESUME_CONTAINER,
    RESUME_SSH,
    RUN_CONTAINER,
    RUN_HTTP,
    RUN_SSH,
    Admission,
    ResumeRequest,
    RunOutcome,
    RunProgress,
    RunRequest,
)
from tests.stack import event
from worker.temporal import data_converter
from workflows import ALL

HOST = "h1"
STARTED = 1_700_000_000.0
MANY = 600
SOON = timedelta(seconds=0.3)
"""Between two heartbeats, with which a cancel comes."""
Step = Callable[[RunRequest], Awaitable[RunOutcome]]
Order = MessageOrder | CallbackOrder
Handing = Callable[[Order], Awaitable[Delivery]]


def progress_of(run: RunRequest, *, started: bool = True) -> RunProgress:
    return RunProgress(
        host=HOST,
        sandbox="cronium-" + run.run_key,
        phase="running" if started else "setup",
        attempt=run.attempt,
        dispatch=run.dispatch,
        started_at=STARTED if started else None,
        lines=3,
        stored=4,
        tail=["three"],
    )


def ends(status: Status, code: int | None = None, **fields: Any) -> Step:
    async def step(run: RunRequest) -> RunOutcome:
        return RunOutcome(
            status=status,
            exit_code=code,
            host=HOST,
            logs=LogCounts(lines=10, stored=11),
            **fields,
        )

    return step


async def vanishes(run: RunRequest) -> RunOutcome:
    """Claim the run, start the script, and never be heard of again."""
    activity.heartbeat(progress_of(run))
    await asyncio.Event().wait()
    raise AssertionError


async def dies_before_the_claim(run: RunRequest) -> RunOutcome:
    await asyncio.Event().wait()
    raise AssertionError


def raises(error: CroniumError, *, started: bool | None = None) -> Step:
    async def step(run: RunRequest) -> RunOutcome:
        details = [] if started is None else [progress_of(run, started=started)]
        raise ApplicationError(
            str(error),
            error.user_hint,
            *details,
            type=error.type,
            non_retryable=not error.retryable,
        )

    return step


async def runs_until_cancelled(run: RunRequest) -> RunOutcome:
    try:
        while True:
            activity.heartbeat(progress_of(run))
            await asyncio.sleep(0.1)
    except asyncio.CancelledError:
        return await ends(Status.CANCELLED, EXIT_CANCELLED)(run)


async def arrives(order: Order) -> Delivery:
    attempts = activity.info().attempt
    if isinstance(order, CallbackOrder):
        return Delivery(http_status=204, attempts=attempts)
    return Delivery(notified=len(order.action.targets), attempts=attempts)


def bounces(error: CroniumError) -> Handing:
    async def handing(order: Order) -> Delivery:
        raise ApplicationError(
            str(error),
            error.user_hint,
            activity.info().attempt,
            type=error.type,
            non_retryable=not error.retryable,
        )

    return handing


async def never_arrives(order: Order) -> Delivery:
    await asyncio.Event().wait()
    raise AssertionError


def server(name: str, **fields: Any) -> dict[str, Any]:
    """A server in wire form."""
    return {
        "id": name,
        "name": name,
        "address": "192.0.2.1",
        "username": "deploy",
        "credentials": {"key": {"secret": "DEPLOY_KEY"}},
        **fields,
    }


def servers(count: int) -> list[dict[str, Any]]:
    """Servers s0001, s0002 …"""
    return [server(f"s{number:04d}") for number in range(1, count + 1)]


def takes(seconds: float, status: Status = Status.SUCCESS, code: int = 0) -> Step:
    """Run for a while, less than a heartbeat's limit, and stop when told to."""

    async def step(run: RunRequest) -> RunOutcome:
        activity.heartbeat(progress_of(run))
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            return await ends(Status.CANCELLED, EXIT_CANCELLED)(run)
        return await ends(status, code)(run)

    return step


SUCCEEDS = ends(Status.SUCCESS, 0)
FAILS = ends(Status.FAILURE, 3)
TIMES_OUT = ends(Status.TIMEOUT, EXIT_TIMEOUT)


@dataclass
class Script:
    """What the activities do, in order of their calls."""

    run: list[Step] = field(default_factory=list)
    resume: list[Step] = field(default_factory=list)
    runs: list[RunRequest] = field(default_factory=list)
    resumes: list[ResumeRequest] = field(default_factory=list)
    called: asyncio.Event = field(default_factory=asyncio.Event)
    resume_window: float = 1.0
    heartbeat: float = 1.0
    """Seconds; where nobody dies, a busy machine may take longer."""
    hand: list[Handing] = field(default_factory=list)
    """What messages and callbacks come to; they arrive when nothing is said."""
    handed: list[Order] = field(default_factory=list)
    handing: asyncio.Event = field(default_factory=asyncio.Event)
    records: list[ExecutionRecord] = field(default_factory=list)
    refusal: Exception | None = None
    """What comes of every attempt to record an end."""
    at: dict[str, list[Step]] = field(default_factory=dict)
    """What servers do, by name; the others do `otherwise`."""
    otherwise: Step | None = None
    nodes: dict[str, list[Step]] | None = None
    """What nodes of graphs do, by target; the others do `otherwise`."""
    variables: dict[str, Any] = field(default_factory=dict)
    read: list[list[str]] = field(default_factory=list)
    """Names of variables that were asked for, by call."""
    running: int = 0
    peak: int = 0
    """The most servers that ran side by side."""
    log: list[str] = field(default_factory=list)
    """Names of servers that began, and with a `-` in front those that ended."""

    @activity.defn(name=ADMIT_EXECUTION.name)
    async def admit(self, request: EventRequest) -> Admission:
        return Admission(
            heartbeat_timeout_seconds=self.heartbeat,
            resume_window_seconds=self.resume_window,
            schedule_to_start_seconds=30.0,
        )

    @activity.defn(name=ADMIT_GRAPH.name)
    async def admit_graph(self, request: GraphRequest) -> Admission:
        return await self.admit(EventRequest.model_construct())

    @activity.defn(name=READ_VARIABLES.name)
    async def read_variables(self, order: VariablesOrder) -> VariablesFound:
        self.read.append(order.keys)
        found = {k: self.variables[k] for k in order.keys if k in self.variables}
        return VariablesFound(values=found)

    @activity.defn(name=ENTER_GATE.name)
    async def enter_gate(self, order: GateOrder) -> bool:
        return await self._gates.enter_gate(order)

    @activity.defn(name=TICKETS_ALIVE.name)
    async def tickets_alive(self, known: Tickets) -> Tickets:
        return await self._gates.tickets_alive(known)

    @property
    def _gates(self) -> GraphActivities:
        """The real ones: nothing of gates is scripted."""
        return GraphActivities(
            admitting=None,  # type: ignore[arg-type]
            variables=None,  # type: ignore[arg-type]
            client=activity.client(),
        )

    @activity.defn(name=RECORD_EXECUTION.name)
    async def record(self, record: ExecutionRecord) -> bool:
        if self.refusal is not None:
            raise self.refusal
        self.records.append(record)
        return True

    @activity.defn(name=SEND_MESSAGE.name)
    async def send_message(self, order: MessageOrder) -> Delivery:
        return await self._hand(order)

    @activity.defn(name=SEND_CALLBACK.name)
    async def send_callback(self, order: CallbackOrder) -> Delivery:
        return await self._hand(order)

    async def _hand(self, order: Order) -> Delivery:
        self.handed.append(order)
        self.handing.set()
        return await (self.hand.pop(0) if self.hand else arrives)(order)

    @activity.defn(name=RUN_CONTAINER.name)
    async def run_container(self, run: RunRequest) -> RunOutcome:
        self.runs.append(run)
        if self.nodes is not None:
            return await self._run_node(run, self.nodes)
        self.called.set()
        return await self.run.pop(0)(run)

    async def _run_node(
        self, run: RunRequest, nodes: dict[str, list[Step]]
    ) -> RunOutcome:
        steps = nodes.get(run.target)
        step = steps.pop(0) if steps else self.otherwise or SUCCEEDS
        self.log.append(run.target)
        self.running += 1
        self.peak = max(self.peak, self.running)
        self.called.set()
        try:
            return await step(run)
        finally:
            self.running -= 1
            self.log.append("-" + run.target)

    @activity.defn(name=RUN_HTTP.name)
    async def run_http(self, run: RunRequest) -> RunOutcome:
        self.runs.append(run)
        self.called.set()
        return await self.run.pop(0)(run)

    @activity.defn(name=RUN_SSH.name)
    async def run_ssh(self, run: RunRequest) -> RunOutcome:
        self.runs.append(run)
        return await self._run_node(run, self.at)

    @activity.defn(name=RESUME_SSH.name)
    async def resume_ssh(self, order: ResumeRequest) -> RunOutcome:
        return await self.resume_container(order)

    @activity.defn(name=RESUME_CONTAINER.name)
    async def resume_container(self, order: ResumeRequest) -> RunOutcome:
        self.resumes.append(order)
        if order.cancel:
            self.resume.clear()
            return await ends(Status.CANCELLED, EXIT_CANCELLED)(order.run)
        return await self.resume.pop(0)(order.run)


@dataclass
class Scripted:
    """A server with a scripted host."""

    client: Client
    queue: str

    async def start(
        self, script: Script, **fields: Any
    ) -> WorkflowHandle[Any, ExecutionResult]:
        """Start an event; its activities do as the script says."""
        execution = fields.pop("execution_id", "x" + secrets.token_hex(6))
        told: str | None = fields.pop("code", "true")
        if "http" in fields:
            told, fields["type"] = None, "http_request"
        depth = fields.pop("chain_depth", 0)
        body = {"executionId": execution, "event": event(told, **fields)}
        return await self.client.start_workflow(
            names.EVENT_WORKFLOW,
            {**body, "chainDepth": depth} if depth else body,
            id=names.workflow_id("test", execution),
            task_queue=self.queue,
            result_type=ExecutionResult,
        )

    async def start_graph(
        self, graph: dict[str, Any], **fields: Any
    ) -> WorkflowHandle[Any, GraphResult]:
        """Start a graph; what its nodes run does as the script says.

        Args:
            graph: The graph; id and name are put in.
            fields: Of the request.
        """
        execution = fields.pop("executionId", "x" + secrets.token_hex(6))
        whole = {"id": "test", "name": "test", **graph}
        return await self.client.start_workflow(
            names.GRAPH_WORKFLOW,
            {"executionId": execution, "workflow": whole, **fields},
            id=names.graph_id(whole["id"], execution),
            task_queue=self.queue,
            result_type=GraphResult,
        )

    async def play_graph(
        self,
        script: Script,
        graph: dict[str, Any],
        *,
        patience: float = 60,
        **fields: Any,
    ) -> tuple[GraphResult, WorkflowHandle[Any, GraphResult]]:
        """Run a graph to its end."""
        async with self.following(script):
            handle = await self.start_graph(graph, **fields)
            return await asyncio.wait_for(handle.result(), patience), handle

    @contextlib.asynccontextmanager
    async def following(
        self,
        script: Script,
        *,
        answers: bool = True,
        real: ActionActivities | None = None,
    ) -> AsyncIterator[None]:
        """Run the workers of a script.

        Args:
            script: What the activities do.
            answers: Whether the host's own queue is polled.
            real: What sends messages and callbacks instead of the script.
        """
        hands = real or script
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(
                Worker(
                    self.client,
                    task_queue=self.queue,
                    workflows=ALL,
                    activities=[
                        script.admit,
                        script.admit_graph,
                        script.read_variables,
                        script.enter_gate,
                        script.tickets_alive,
                        script.record,
                        script.run_container,
                        settle_schedule,
                    ],
                    max_concurrent_activities=MANY,
                    max_heartbeat_throttle_interval=SOON,
                )
            )
            await stack.enter_async_context(
                Worker(
                    self.client,
                    task_queue=names.http_queue(self.queue),
                    activities=[script.run_http],
                )
            )
            await stack.enter_async_context(
                Worker(
                    self.client,
                    task_queue=names.ssh_queue(self.queue),
                    activities=[script.run_ssh, script.resume_ssh],
                    max_concurrent_activities=MANY,
                    max_heartbeat_throttle_interval=SOON,
                )
            )
            await stack.enter_async_context(
                Worker(
                    self.client,
                    task_queue=names.actions_queue(self.queue),
                    activities=[hands.send_message, hands.send_callback],
                )
            )
            if answers:
                await stack.enter_async_context(self.host_back(script))
            yield

    def host_back(self, script: Script) -> Worker:
        """Poll the host's own queue."""
        return Worker(
            self.client,
            task_queue=names.host_queue(HOST),
            activities=[script.resume_container],
        )

    async def play(
        self,
        script: Script,
        *,
        answers: bool = True,
        real: ActionActivities | None = None,
        patience: float = 60,
        **fields: Any,
    ) -> tuple[ExecutionResult, WorkflowHandle[Any, ExecutionResult]]:
        """Run an event to its end."""
        async with self.following(script, answers=answers, real=real):
            handle = await self.start(script, **fields)
            return await asyncio.wait_for(handle.result(), patience), handle


@contextlib.asynccontextmanager
async def scripted_server(binary: str) -> AsyncIterator[Scripted]:
    """A Temporal server of its own."""
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=binary, data_converter=data_converter
    ) as environment:
        yield Scripted(environment.client, "scripted")
