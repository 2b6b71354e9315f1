"""`GraphWorkflow`: one execution of one graph, from admission to the typed result."""

import asyncio
from typing import Any

from temporalio import workflow
from temporalio.exceptions import (
    ApplicationError,
    FailureError,
    is_cancelled_exception,
)

with workflow.unsafe.imports_passed_through():
    from contracts import names
    from contracts.errors import RequestRefused
    from contracts.graph_parts import (
        ADMIT_GRAPH,
        RerunOrder,
        RunInfo,
    )
    from contracts.graphs import GraphRequest, GraphResult
    from contracts.logs import ExecutionRecord
    from contracts.results import Status
    from contracts.runs import Admission
    from contracts.validation import sentence
    from workflows import attributes
    from workflows.bookkeeping import admit, write_record
    from workflows.endings import uncancelled
    from workflows.graphs import picture, results
    from workflows.graphs.check import problems_of_graph
    from workflows.graphs.gates import TAKEN, KeyTaken
    from workflows.graphs.job import NodeFailed, info_of, value_of
    from workflows.graphs.orders import Steered
    from workflows.graphs.rerun import rerun_of
    from workflows.graphs.run import GraphRun
    from workflows.graphs.scope import data_of
    from workflows.scheduled import identified, settle


@workflow.defn(name=names.GRAPH_WORKFLOW)
class GraphWorkflow(Steered):
    """Runs the nodes of a graph, each when what comes before it allows it.

    Whatever happens to nodes is a result. The workflow fails only when the request
    cannot be run as it is: `PayloadValidationError` when it does not fit the contract,
    `RequestRefused` when an expression or a server is wrong, `CeilingExceeded` and the
    like when the operator does not allow an event.
    """

    @workflow.init
    def __init__(self, request: GraphRequest) -> None:
        self._request = identified(request)
        self._admission = Admission()
        self._started = workflow.now()
        self._queued = False
        self._stale = False
        self._graph = GraphRun(
            request.workflow, self._run_info(), request.input, self._show, request.reuse
        )

    @workflow.run
    async def run(self, request: GraphRequest) -> GraphResult:
        """Run the graph.

        Args:
            request: The whole order; checked before anything runs.

        Returns:
            The result with one row per node.
        """
        _refuse(request)
        admitted = await self._admit()
        attributes.at_graph_start(self._request, self._admission)
        self._graph.admit(self._run_info())
        self._show()
        if admitted:
            await self._run_in_turn()
        else:
            self._graph.cancel_before_it_began()
        result = self._result()
        attributes.at_graph_end(result, self._admission)
        self._show()
        await uncancelled(self._write(result))
        await uncancelled(
            settle(request.schedule, result.execution_id, Status(result.status))
        )
        await workflow.wait_condition(workflow.all_handlers_finished)
        return result

    @workflow.query
    def order(self) -> GraphRequest:
        """Return what was asked for."""
        return self._request

    @workflow.query
    def rerun(self, order: RerunOrder) -> GraphRequest:
        """Return the request that runs this one again, for a new execution id.

        Raises:
            RequestRefused: It is not over, or there is nothing to take from it.
        """
        if not self._graph.over:
            raise RequestRefused(
                "the run is not over yet", hint="`retry` lets a failed node run again."
            )
        return rerun_of(self._request, self._result(), order.again, order.workflow)

    @workflow.query
    def mermaid(self) -> str:
        """Return the graph with the colours of its statuses."""
        return picture.mermaid(self._request.workflow, self._graph.rows)

    def _graph_at_work(self) -> GraphRun | None:
        return self._graph

    def _run_info(self) -> RunInfo:
        request = self._request
        return RunInfo(
            execution_id=request.execution_id,
            workflow_id=request.workflow.id,
            user=request.user,
            trigger=request.trigger,
            priority=request.priority,
            admission=self._admission,
            started_at=self._started.timestamp(),
            scheduled_for=request.scheduled_for,
        )

    async def _admit(self) -> bool:
        """Ask the operator's settings; False when the run is cancelled already."""
        admission = await admit(ADMIT_GRAPH, self._request)
        self._admission = admission or self._admission
        return admission is not None

    async def _run_in_turn(self) -> None:
        graph, limit = self._graph, self._request.workflow.concurrency
        if limit is None:
            await graph.run()
            return
        try:
            key = str(self._key(limit.key))
            self._queued = True
            self._show()
            user = self._request.user
            await graph.gates.hold(limit, key, user, "", graph.displace, self._begin)
        except NodeFailed as failure:
            graph.refuse(failure.info)
        except KeyTaken:
            graph.refuse(TAKEN)
        except FailureError as error:
            if is_cancelled_exception(error):
                graph.cancel_before_it_began()
            else:
                graph.refuse(info_of(error, "GateUnavailable"))
        except asyncio.CancelledError:
            graph.cancel_before_it_began()

    async def _begin(self) -> None:
        self._queued = False
        await self._graph.run()

    def _key(self, key: str) -> Any:
        data = data_of(self._run_info(), self._request.input, (), {})
        return value_of(key, data, "concurrency.key")

    def _show(self) -> None:
        """Show the state once, however much changes in this activation."""
        if not self._stale:
            self._stale = True
            asyncio.get_running_loop().call_soon(self._refresh)

    def _refresh(self) -> None:
        self._stale = False
        request, rows = self._request, self._graph.rows
        text = picture.details(request, rows, self._admission.logs_url, self._state())
        workflow.set_current_details(text)

    def _state(self) -> str:
        if self._graph.held:
            return "held: a node failed; retry or skip one, or resume to end the run"
        if self._queued:
            return "waits for a place among the runs of its concurrency key"
        return "paused" if self._graph.brake.on else ""

    def _result(self) -> GraphResult:
        elapsed = workflow.now() - self._started
        result = results.result_of(
            self._graph,
            self._run_info(),
            self._request.input,
            int(elapsed.total_seconds() * 1000),
        )
        return result.model_copy(update={"rerun_of": self._request.rerun_of})

    async def _write(self, result: GraphResult) -> None:
        request, info = self._request, workflow.info()
        record = ExecutionRecord(
            execution_id=result.execution_id,
            event_id=request.workflow.id,
            event_name=request.workflow.name,
            event_type="workflow",
            user=request.user,
            trigger=request.trigger,
            status=Status(result.status),
            timestamp=workflow.now().timestamp(),
            workflow_id=info.workflow_id,
            run_id=info.run_id,
            result=results.record_of(result),
        )
        await write_record(record)


def _refuse(request: GraphRequest) -> None:
    """Refuse a graph that cannot be run as it is.

    Raises:
        ApplicationError: With everything that is wrong.
    """
    problems = problems_of_graph(request.workflow, "workflow")
    if problems:
        raise ApplicationError(
            sentence(problems),
            [problem.model_dump(by_alias=True) for problem in problems],
            type=RequestRefused.__name__,
            non_retryable=True,
        )
