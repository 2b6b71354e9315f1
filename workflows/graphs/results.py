"""What a graph's run comes to: its result, and the record that the gateway keeps."""

from collections.abc import Sequence
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts import names
    from contracts.errors import ErrorInfo, ScriptError
    from contracts.graph_parts import RunInfo
    from contracts.graph_results import GraphError, GraphResult, NodeCounts, NodeResult
    from contracts.limits import (
        MAX_GRAPH_OUTPUTS_BYTES,
        MAX_GRAPH_ROWS_BYTES,
        MAX_OUTPUT_BYTES,
    )
    from contracts.results import (
        EXIT_CANCELLED,
        EXIT_TIMEOUT,
        ExecutionResult,
        LogCounts,
        PhaseDurations,
        Status,
        TargetResult,
    )
    from contracts.wire_text import json_size
    from workflows.endings import total
    from workflows.graphs.job import NodeFailed, value_of
    from workflows.graphs.progress import BAD
    from workflows.graphs.run import GraphRun
    from workflows.graphs.scope import data_of, default_output
    from workflows.tally import fit

MOST_NAMES = 10
SHORT_MESSAGE = 120


def outcome_of(
    graph: GraphRun, run: RunInfo, graph_input: Any
) -> tuple[Status, Any, ErrorInfo | None]:
    """Return status, output and error of a graph that is over."""
    status, error = _status(graph)
    try:
        output = _output(graph, run, graph_input)
    except NodeFailed as failure:
        if status is not Status.SUCCESS:
            return status, None, error
        return Status.FAILURE, None, failure.info
    return status, output, error


def counts_of(rows: Sequence[NodeResult]) -> NodeCounts:
    """Return how many nodes ended in which way."""
    statuses = [row.status for row in rows]
    return NodeCounts(
        total=len(rows),
        succeeded=statuses.count(Status.SUCCESS),
        failed=sum(status in BAD for status in statuses),
        handled=sum(row.handled for row in rows),
        skipped=statuses.count(Status.SKIPPED),
        cancelled=statuses.count(Status.CANCELLED),
    )


def logs_of(rows: Sequence[NodeResult]) -> LogCounts:
    """Return the counts of all nodes' logs together."""
    logs = LogCounts()
    for row in rows:
        logs = total(logs, row.logs)
    return logs.model_copy(update={"last_lines": []})


def result_of(
    graph: GraphRun, run: RunInfo, graph_input: Any, total_ms: int
) -> GraphResult:
    """Return the result of a run that is over."""
    status, output, error = outcome_of(graph, run, graph_input)
    rows = list(graph.rows.values())
    kept, omitted = _with_outputs(rows)
    return GraphResult(
        execution_id=run.execution_id,
        workflow_id=graph.spec.id,
        workflow_name=graph.spec.name,
        status=status,
        output=output,
        error=error,
        total_ms=total_ms,
        nodes=_fit(kept),
        omitted=omitted,
        counts=counts_of(rows),
        logs=logs_of(rows),
    )


def record_of(result: GraphResult) -> ExecutionResult:
    """Return a result in the form of an event's, for readers of executions.

    Each node is a target; a node that ran nothing has an empty row.
    """
    rows = fit([_target_of(row) for row in result.nodes], MAX_GRAPH_ROWS_BYTES)
    exits = {
        Status.SUCCESS: 0,
        Status.TIMEOUT: EXIT_TIMEOUT,
        Status.CANCELLED: EXIT_CANCELLED,
    }
    return ExecutionResult(
        execution_id=result.execution_id,
        event_id=result.workflow_id,
        event_name=result.workflow_name,
        status=result.status,
        exit_code=exits.get(result.status),
        durations=PhaseDurations(total_ms=result.total_ms),
        output=result.output,
        error=result.error,
        logs=result.logs,
        attempts=1,
        targets=rows,
    )


def _target_of(row: NodeResult) -> TargetResult:
    took = row.durations.total_ms
    if row.started_at is not None and row.ended_at is not None:
        took = int((row.ended_at - row.started_at) * 1000)
    return TargetResult(
        target=names.node_target(row.node),
        status=row.status,
        exit_code=row.exit_code,
        durations=row.durations.model_copy(update={"total_ms": took}),
        condition=row.condition,
        error=row.error,
        logs=row.logs,
        attempts=row.attempts,
    )


def _status(graph: GraphRun) -> tuple[Status, ErrorInfo | None]:
    rows = list(graph.rows.values())
    if graph.refused is not None:
        taken = graph.refused.type == GraphError.KEY_TAKEN
        return Status.SKIPPED if taken else Status.FAILURE, graph.refused
    if graph.timed_out:
        limit = graph.spec.timeout_seconds or 0
        return Status.TIMEOUT, ErrorInfo(
            type=GraphError.GRAPH_TIMEOUT,
            message=f"The workflow took longer than {limit:g} s (timeoutSeconds).",
        )
    if graph.cancelled and any(row.status is Status.CANCELLED for row in rows):
        done = sum(row.status is Status.SUCCESS for row in rows)
        return Status.CANCELLED, ErrorInfo(
            type=ScriptError.CANCELLED,
            message=f"The run was cancelled {graph.reason}; {done} of "
            f"{len(rows)} nodes had succeeded.",
        )
    failed = graph.failed
    if not failed:
        return Status.SUCCESS, None
    return Status.FAILURE, _nodes_failed(graph, failed)


def _nodes_failed(graph: GraphRun, failed: list[str]) -> ErrorInfo:
    listed = ", ".join(failed[:MOST_NAMES])
    more = f" and {len(failed) - MOST_NAMES} more" if len(failed) > MOST_NAMES else ""
    first = graph.rows[failed[0]].error
    words = "node" if len(failed) == 1 else "nodes"
    because = f" {failed[0]}: {first.message}" if first else ""
    return ErrorInfo(
        type=GraphError.NODES_FAILED,
        message=f"{len(failed)} {words} failed: {listed}{more}.{because}"[:1000],
        hint=first.hint if first else "",
    )


def _output(graph: GraphRun, run: RunInfo, graph_input: Any) -> Any:
    rows = graph.rows
    if graph.spec.output is None:
        output = default_output(graph.spec.nodes, rows)
    else:
        data = data_of(run, graph_input, rows.values(), {})
        output = value_of(graph.spec.output, data, "output")
    size = json_size(output)
    if size > MAX_OUTPUT_BYTES:
        raise NodeFailed(
            ErrorInfo(
                type=ScriptError.OUTPUT_LIMIT,
                message=f"output: {size} bytes of JSON, at most {MAX_OUTPUT_BYTES} "
                "are allowed",
                hint="Give `output` an expression that takes what is needed.",
            )
        )
    return output


def _with_outputs(rows: list[NodeResult]) -> tuple[list[NodeResult], list[str]]:
    """Return the rows with the outputs that there is room for, and who has none."""
    room = MAX_GRAPH_OUTPUTS_BYTES
    kept, omitted = [], []
    for row in rows:
        if row.output is not None:
            size = json_size(row.output)
            if size > room:
                omitted.append(row.node)
                row = row.model_copy(update={"output": None})
            else:
                room -= size
        kept.append(row)
    return kept, omitted


def _fit(rows: list[NodeResult]) -> list[NodeResult]:
    """Return the rows with as many of their words as there is room for."""
    for shorten in (_whole, _without_lines, _without_targets):
        short = [shorten(row) for row in rows]
        size = sum(
            len(row.model_copy(update={"output": None}).model_dump_json().encode()) + 1
            for row in short
        )
        if size <= MAX_GRAPH_ROWS_BYTES:
            break
    return short


def _whole(row: NodeResult) -> NodeResult:
    return row


def _without_lines(row: NodeResult) -> NodeResult:
    logs = row.logs.model_copy(update={"last_lines": row.logs.last_lines[-1:]})
    return row.model_copy(update={"logs": logs})


def _without_targets(row: NodeResult) -> NodeResult:
    logs = row.logs.model_copy(update={"last_lines": []})
    error = row.error
    if error is not None:
        message = error.message[:SHORT_MESSAGE]
        error = error.model_copy(update={"message": message, "hint": ""})
    return row.model_copy(update={"logs": logs, "targets": [], "error": error})
