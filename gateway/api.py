"""The REST API: executions and their logs."""

import base64
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Request, Security
from fastapi.responses import StreamingResponse
from fastapi.security import HTTPBearer

from contracts.audit import AuditKind
from contracts.logs import LogLine, Stream
from contracts.results import Status
from gateway.access import READERS, check_may_see, claims_of
from gateway.auditing import audit_reading
from gateway.errors import ExecutionNotFound
from gateway.models import ErrorAnswer, ExecutionDetail, ExecutionPage, LogPage
from gateway.reads import Known, Line, LineFilter, Reads
from gateway.services import Services, services_of
from gateway.tokens import Claims, Scope

_ERRORS: dict[int | str, dict[str, Any]] = {
    401: {"model": ErrorAnswer, "description": "No token, or not a good one."},
    404: {"model": ErrorAnswer, "description": "Unknown, or another user's."},
    422: {"model": ErrorAnswer, "description": "A parameter is not valid."},
    429: {"model": ErrorAnswer, "description": "Too many requests."},
}
# Only for the page of the API: the token itself is checked by `_caller`.
_bearer = HTTPBearer(auto_error=False, description="A token of the gateway.")

router = APIRouter(
    prefix="/api/executions", responses=_ERRORS, dependencies=[Security(_bearer)]
)


def _caller(request: Request) -> Claims:
    return claims_of(request, READERS)


def _services(request: Request) -> Services:
    return services_of(request)


def _only(
    target: Annotated[str | None, Query(description="Lines of one target.")] = None,
    stream: Annotated[Stream | None, Query(description="Lines of one stream.")] = None,
    attempt: Annotated[
        int | None, Query(ge=1, le=2**31 - 1, description="Lines of one try.")
    ] = None,
) -> LineFilter:
    return LineFilter(target, attempt, stream.value if stream else None)


Caller = Annotated[Claims, Depends(_caller)]
Gateway = Annotated[Services, Depends(_services)]
Only = Annotated[LineFilter, Depends(_only)]
FromSeq = Annotated[int, Query(alias="fromSeq", ge=1, le=2**53)]


@router.get("", tags=["executions"], summary="List executions")
async def list_executions(
    caller: Caller,
    gateway: Gateway,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[int | None, Query(ge=1, le=2**53)] = None,
    status: Status | None = None,
    user: str | None = None,
) -> ExecutionPage:
    """Return executions, newest first. A user's token lists only that user's."""
    execution_id = None
    if caller.scope is Scope.USER:
        if user not in (None, caller.subject):
            return ExecutionPage(executions=[])
        user = caller.subject
    elif caller.scope is Scope.EXECUTION:
        execution_id = caller.subject
    page, next_before = await gateway.reads.executions(
        limit=limit, before=before, status=status, user=user, execution_id=execution_id
    )
    return ExecutionPage(executions=page, next_before=next_before)


@router.get("/{execution_id}", tags=["executions"], summary="Show an execution")
async def show_execution(
    execution_id: str, request: Request, caller: Caller, gateway: Gateway
) -> ExecutionDetail:
    """Return one execution, with its result once it is over."""
    found = await gateway.reads.detail(execution_id)
    check_may_see(caller, execution_id, found.user)
    audit_reading(AuditKind.EXECUTION_READ, request, caller, execution_id, found.user)
    return found


@router.get("/{execution_id}/logs", tags=["logs"], summary="Read log lines")
async def read_logs(
    execution_id: str,
    request: Request,
    caller: Caller,
    gateway: Gateway,
    only: Only,
    from_seq: FromSeq = 1,
    limit: Annotated[int, Query(ge=1, le=5_000)] = 1_000,
) -> LogPage:
    """Return stored lines from `fromSeq` on; fewer than `limit` when they are long."""
    known = await _visible(gateway.reads, request, caller, execution_id)
    found, all_of_them = await gateway.reads.page(
        known.key, from_seq, limit=limit, only=only
    )
    next_seq = found[-1][1][1] + 1 if found else from_seq
    if all_of_them:
        # Lines that the filter left out need not be looked at again.
        next_seq = max(next_seq, known.last_seq + 1)
    over = known.summary.status.final and known.last_seq >= known.summary.expected_lines
    return LogPage(
        lines=[_log_line(line) for line in found],
        next_seq=next_seq,
        complete=over and next_seq > known.last_seq,
        status=known.summary.status,
    )


@router.get(
    "/{execution_id}/log.txt",
    tags=["logs"],
    summary="Download the log",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/plain": {}}, "description": "The log."}},
)
async def download_log(
    execution_id: str, request: Request, caller: Caller, gateway: Gateway, only: Only
) -> StreamingResponse:
    """Return the log as text, line by line, with the exact bytes that were written."""
    known = await _visible(gateway.reads, request, caller, execution_id)
    name = re.sub(r"[^A-Za-z0-9._-]", "_", execution_id)
    return StreamingResponse(
        _text(gateway.reads, known.key, only),
        media_type="text/plain; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.log.txt"'},
    )


async def _visible(
    reads: Reads, request: Request, caller: Claims, execution_id: str
) -> Known:
    """Return an execution whose log is about to be read."""
    known = await reads.find(execution_id)
    if known is None:
        raise ExecutionNotFound
    user = known.summary.user
    check_may_see(caller, execution_id, user)
    audit_reading(AuditKind.LOG_READ, request, caller, execution_id, user)
    return known


def _log_line(line: Line) -> LogLine:
    source, row = line
    return LogLine(
        seq=row[1],
        target=source.target,
        attempt=source.attempt,
        dispatch=source.dispatch,
        stream=Stream(source.stream),
        stream_seq=row[3],
        timestamp=datetime.fromtimestamp(row[4], UTC),
        text=row[5],
        raw=row[6],
        dropped=row[7],
        data=row[8] and orjson.loads(row[8]),
    )


async def _text(reads: Reads, key: int, only: LineFilter) -> AsyncIterator[bytes]:
    async for page in reads.pages(key, 1, only=only):
        yield b"".join(_bytes(row[5], row[6]) for _, row in page)


def _bytes(text: str, raw: str | None) -> bytes:
    return (base64.b64decode(raw) if raw is not None else text.encode()) + b"\n"
