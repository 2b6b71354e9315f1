"""Nodes that run nothing: waiting for a time or for somebody, and choosing a way."""

from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.errors import ErrorInfo
    from contracts.graph_nodes import ApprovalNode, SwitchNode, WaitNode
    from contracts.graph_results import GraphError, NodeDecision
    from contracts.limits import MAX_WAIT_SECONDS
    from contracts.results import Status
    from workflows.graphs.job import Fields, Job, NodeFailed


async def run_wait(job: Job, node: WaitNode) -> Fields:
    """Wait; the input is handed on as the output."""
    now = workflow.now()
    if node.until is not None:
        until = _time(job.value(node.until, "until"), "until")
        seconds = (until - now).total_seconds()
    else:
        seconds = _seconds(job.value(node.seconds, "seconds"))
        until = now + timedelta(seconds=min(max(seconds, 0), MAX_WAIT_SECONDS))
    if seconds > MAX_WAIT_SECONDS:
        raise _wrong(f"the wait would be longer than {MAX_WAIT_SECONDS:g} s")
    if seconds > 0:
        job.update(waiting_for=f"{until:%Y-%m-%d %H:%M:%S} UTC")
        await workflow.sleep(seconds, summary=f"{job.place}: wait")
    return {"status": Status.SUCCESS, "output": job.input}


async def run_approval(job: Job, node: ApprovalNode) -> Fields:
    """Wait until somebody has said yes or no, or until it is too late."""
    asked = job.value(node.message, "message") if node.message else ""
    job.update(waiting_for=f"approval: {asked}" if asked else "approval")
    limit = node.expires_seconds
    try:
        await workflow.wait_condition(
            lambda: job.decision is not None,
            timeout=None if limit is None else timedelta(seconds=limit),
            timeout_summary=f"{job.place}: approval expires",
        )
    except TimeoutError:
        error = ErrorInfo(
            type=GraphError.EXPIRED, message=f"Nobody decided within {limit:g} s."
        )
        return {"status": Status.TIMEOUT, "error": error}
    said = job.decision
    assert said is not None
    at = workflow.now().timestamp()
    fields: Fields = {
        "status": Status.SUCCESS if said.approved else Status.FAILURE,
        "condition": said.approved,
        "output": {
            "approved": said.approved,
            "by": said.by,
            "why": said.why,
            "at": at,
        },
    }
    if not said.approved:
        reason = f": {said.why}" if said.why else "."
        fields["error"] = ErrorInfo(
            type=GraphError.REJECTED, message=f"{said.by} said no{reason}"
        )
    return fields


def decided(verdict: str, by: str, why: str) -> NodeDecision:
    """Return the record of what somebody said now."""
    return NodeDecision(verdict=verdict, by=by, why=why, at=workflow.now().timestamp())


async def run_switch(job: Job, node: SwitchNode) -> Fields:
    """Choose the first case whose expression is true."""
    chosen = node.default
    for index, case in enumerate(node.cases):
        if _true(job.value(case.when, f"cases[{index}].if")):
            chosen = case.name
            break
    return {"status": Status.SUCCESS, "case": chosen, "output": {"case": chosen}}


def _true(value: Any) -> bool:
    # A text with words around an expression is a text, and mostly a mistake.
    if isinstance(value, str) and value.strip().lower() in ("false", ""):
        return False
    return bool(value)


def _seconds(value: Any) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        raise _wrong("`seconds` is no number") from None
    if not seconds < float("inf"):
        raise _wrong("`seconds` is no number")
    return seconds


def _time(value: Any, name: str) -> datetime:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        raise _wrong(
            f"`{name}` is no time: expected one such as 2030-01-31T06:00:00+01:00"
        ) from None
    if found.tzinfo is None:
        raise _wrong(f"`{name}` has no zone: add one, such as Z or +01:00")
    return found


def _wrong(message: str) -> NodeFailed:
    return NodeFailed(ErrorInfo(type=GraphError.EXPRESSION, message=message))
