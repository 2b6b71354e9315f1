"""Find executions on the Temporal server: by id, or the newest ones."""

import asyncio
import difflib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from cli.errors import NotFound
from contracts import names
from contracts.graph_results import GraphResult
from contracts.results import ExecutionResult, Status

if TYPE_CHECKING:
    from temporalio.client import Client, WorkflowExecution, WorkflowHandle

    from cli.stack import Stack

QUERY = f'WorkflowType IN ("{names.EVENT_WORKFLOW}", "{names.GRAPH_WORKFLOW}")'
# How far back an id without an event's name in front is looked for.
MOST_SCANNED = 2_000
CALL_TIMEOUT = timedelta(seconds=5)
# Ends of a workflow that leave no result of ours behind.
ENDS = {
    "FAILED": Status.FAILURE,
    "TERMINATED": Status.CANCELLED,
    "CANCELED": Status.CANCELLED,
    "TIMED_OUT": Status.TIMEOUT,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One execution in a list."""

    execution_id: str
    event_id: str
    workflow_id: str
    status: Status
    started: datetime
    ended: datetime | None
    exit_code: int | None


async def newest(
    client: "Client", limit: int, status: Status | None = None
) -> list[Row]:
    """Return the newest executions, with their outcomes; the last started first."""
    found: list[Row] = []
    chunk: list[WorkflowExecution] = []
    async for workflow in client.list_workflows(QUERY, limit=MOST_SCANNED):
        chunk.append(workflow)
        if len(chunk) == limit:
            found += await _rows(client, chunk, status)
            chunk = []
        if len(found) >= limit:
            break
    else:
        found += await _rows(client, chunk, status)
    # Temporal sorts by the end, so that a long run stands above what began after it.
    return sorted(found[:limit], key=lambda row: row.started, reverse=True)


async def find_workflow(
    client: "Client", stack: "Stack", wanted: str
) -> tuple[str, str | None]:
    """Return workflow id and run id of an execution; the latter when it matters.

    Args:
        client: Temporal.
        stack: Where the gateway is; it knows the way from one to the other.
        wanted: Execution id or workflow id.

    Raises:
        NotFound: The message names the closest ids that are known.
    """
    if names.is_execution(wanted):
        return wanted, None
    from_gateway = await _ask_gateway(stack, wanted)
    if from_gateway:
        return from_gateway
    known: list[str] = []
    async for workflow in client.list_workflows(QUERY, limit=MOST_SCANNED):
        execution = names.execution_of(workflow.id, workflow.run_id)
        if execution == wanted:
            return workflow.id, workflow.run_id
        if execution is not None:
            known.append(execution)
    raise unknown(wanted, known)


async def open_execution(
    client: "Client", stack: "Stack", wanted: str
) -> "WorkflowHandle[Any, Any]":
    """Return the handle of an execution, of the run that is meant.

    Raises:
        NotFound: The message names the closest ids that are known.
    """
    from temporalio.service import RPCError, RPCStatusCode

    workflow_id, run_id = await find_workflow(client, stack, wanted)
    kind: type[Any] = result_type_of(workflow_id)
    handle = client.get_workflow_handle(workflow_id, run_id=run_id, result_type=kind)
    try:
        found = await handle.describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise unknown(wanted, []) from None
        raise
    if names.moment_of(workflow_id) is None:
        return handle
    # The id that people see is made of the run's as well.
    info = found.raw_description.workflow_execution_info
    return client.get_workflow_handle(
        workflow_id,
        run_id=found.run_id,
        first_execution_run_id=info.first_run_id or found.run_id,
        result_type=kind,
    )


def execution_id_of(handle: "WorkflowHandle[Any, Any]") -> str:
    """Return the id of the execution behind a handle of `open_execution`."""
    first_run = handle.first_execution_run_id or ""
    return names.execution_of(handle.id, first_run) or handle.id


def unknown(wanted: str, known: list[str]) -> NotFound:
    """Return the error for an id that nobody knows."""
    begins = [name for name in known if name.startswith(wanted)]
    close = begins or difflib.get_close_matches(wanted, known, n=3, cutoff=0.4)
    hint = f"Did you mean {' or '.join(close[:3])}?" if close else ""
    return NotFound(
        f"there is no execution {wanted[:200]}",
        hint=hint or "`cronium list` shows the newest ones.",
    )


def event_of(workflow_id: str) -> str:
    """Return the id of event or graph inside a workflow id."""
    return names.subject_of(workflow_id) or workflow_id


def status_of(workflow: "WorkflowExecution") -> Status | None:
    """Return the user-facing status, or None when only the result knows it."""
    written = [
        pair.value
        for pair in workflow.typed_search_attributes
        if pair.key.name == names.ATTRIBUTE_STATUS
    ]
    word = workflow.status.name if workflow.status else "RUNNING"
    if word == "RUNNING":
        return Status.RUNNING
    if word == "COMPLETED":
        return Status(written[0]) if written and written[0] in list(Status) else None
    return ENDS.get(word, Status.FAILURE)


def result_type_of(workflow_id: str) -> type[Any]:
    """Return what the result of a workflow is."""
    return GraphResult if names.is_graph(workflow_id) else ExecutionResult


async def _rows(
    client: "Client", workflows: "list[WorkflowExecution]", status: Status | None
) -> list[Row]:
    rows = await asyncio.gather(*(_row(client, workflow) for workflow in workflows))
    return [row for row in rows if status is None or row.status is status]


async def _row(client: "Client", workflow: "WorkflowExecution") -> Row:
    status = status_of(workflow)
    codes = [
        pair.value
        for pair in workflow.typed_search_attributes
        if pair.key.name == names.ATTRIBUTE_EXIT_CODE
    ]
    if status is None:
        handle = client.get_workflow_handle(
            workflow.id, run_id=workflow.run_id, result_type=result_type_of(workflow.id)
        )
        result = await handle.result(rpc_timeout=CALL_TIMEOUT)
        status, codes = result.status, [getattr(result, "exit_code", None)]
    return Row(
        execution_id=names.execution_of(workflow.id, workflow.run_id) or workflow.id,
        event_id=event_of(workflow.id),
        workflow_id=workflow.id,
        status=status,
        started=workflow.start_time,
        ended=workflow.close_time,
        exit_code=codes[0] if codes else None,
    )


async def _ask_gateway(
    stack: "Stack", execution_id: str
) -> tuple[str, str | None] | None:
    from urllib.parse import quote

    import httpx

    from cli.follow import LogUnavailable, service_token
    from cli.http import http_client

    try:
        headers = {"Authorization": f"Bearer {service_token(stack)}"}
        async with http_client(stack.gateway, 3.0) as http:
            url = f"{stack.gateway}/api/executions/{quote(execution_id, safe='')}"
            answer = await http.get(url, headers=headers)
            known = answer.json() if answer.is_success else {}
    except (httpx.HTTPError, httpx.InvalidURL, LogUnavailable, ValueError):
        return None
    workflow_id = known.get("workflowId")
    if not workflow_id:
        return None
    # One time of a schedule may have been run again by hand: then the id is not enough.
    scheduled = names.moment_of(workflow_id) is not None
    return workflow_id, known.get("runId") if scheduled else None
