"""The WebSocket that shows a log live: what is stored first, then what comes.

A viewer has a cursor and reads from it whenever it is woken: from the newest lines in
memory when its cursor is there, else from the store. So there is no hand-over between
"old" and "new" lines in which one could be lost or come twice, and a slow viewer holds
nothing but its cursor.
"""

import asyncio
import contextlib
import time

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from contracts.audit import AuditKind
from contracts.logs import ViewerCutOff, ViewerEnd, ViewerStatus
from contracts.results import Status
from gateway.access import (
    READERS,
    check_origin,
    chosen_subprotocol,
    claims_of,
    may_see,
)
from gateway.auditing import audit_reading
from gateway.errors import ExecutionNotFound, GatewayError
from gateway.live import Channel, Chunk, lines_message
from gateway.protocol import LAST_WORD
from gateway.reads import PAGE_LINES, Line
from gateway.services import Services, services_of
from gateway.tokens import Claims, Scope

CUT_OFF_CODE = 4008
MISSING_LINES_SECONDS = 15.0
"""How long after the final status lines that the worker counted are waited for."""
APPEAR_SECONDS = 300.0
"""How long a viewer may wait for an execution that nobody has heard of."""
# A send that takes longer than this had to wait for the viewer's network.
_BLOCKED_SECONDS = 0.05
# Looking again without being woken: only after lines were deleted under a viewer.
_LOOK_AGAIN_SECONDS = 5.0

router = APIRouter()


class TooSlow(Exception):
    """The viewer does not keep up."""


class Viewer:
    """One connection that follows one execution."""

    def __init__(
        self,
        websocket: WebSocket,
        services: Services,
        claims: Claims,
        execution_id: str,
        from_seq: int,
    ) -> None:
        self._websocket = websocket
        self._services = services
        self._claims = claims
        self._execution_id = execution_id
        self._cursor = from_seq
        self._key = 0
        self._caught_up = False
        self._status: Status | None = None
        self._wake = asyncio.Event()

    async def follow(self) -> None:
        """Send everything until the end of the execution, then close."""
        with self._services.hub.attach(self._execution_id, self._wake) as channel:
            try:
                await self._appear(channel)
                await self._follow(channel)
            except ExecutionNotFound as error:
                await self._websocket.close(error.close_code, str(error))
            except TooSlow as error:
                self._services.metrics.cut_offs.inc()
                await self._cut_off(str(error))

    async def _appear(self, channel: Channel) -> None:
        deadline = time.monotonic() + APPEAR_SECONDS
        # One that may never be seen by this token needs no waiting.
        if self._claims.scope is Scope.EXECUTION and not self._visible(""):
            raise ExecutionNotFound
        await self._load(channel)
        while channel.summary is None or not self._visible(channel.summary.user):
            # Another user's execution is waited for like an unknown one: whoever
            # asks does not learn that it exists.
            if not await self._woken(deadline - time.monotonic()):
                raise ExecutionNotFound
        if not self._key:
            await self._load(channel)
        audit_reading(
            AuditKind.LOG_READ,
            self._websocket,
            self._claims,
            self._execution_id,
            channel.summary.user,
        )

    async def _load(self, channel: Channel) -> None:
        known = await self._services.reads.find(self._execution_id)
        if known is None:
            return
        self._key = known.key
        channel.last_seq = max(channel.last_seq, known.last_seq)
        # A commit that came in while we read is newer than what we read.
        if channel.summary is None:
            channel.summary = known.summary

    def _visible(self, user: str) -> bool:
        return may_see(self._claims, self._execution_id, user)

    async def _follow(self, channel: Channel) -> None:
        while True:
            self._wake.clear()
            summary = channel.summary
            assert summary is not None
            if summary.status is not self._status:
                self._status = summary.status
                changed = ViewerStatus(status=summary.status)
                await self._send(changed.model_dump_json())
            if await self._send_lines(channel):
                continue
            patience = self._patience(channel)
            if patience is not None and patience <= 0:
                await self._end(channel)
                return
            await self._woken(_LOOK_AGAIN_SECONDS if patience is None else patience)

    async def _send_lines(self, channel: Channel) -> bool:
        """Send the next lines; return False when there are none (yet)."""
        last_seq = channel.last_seq
        found = channel.read(self._cursor)
        if found is None and (not self._caught_up or self._cursor <= last_seq):
            found = await self._from_store()
            # The end was reached once: from now on only the network can hold us up.
            self._caught_up = self._caught_up or found is None
        if found is None:
            # Lines that were stored while we looked are not in what we looked at.
            return channel.last_seq > last_seq
        message, cursor = found
        blocked = await self._send(message)
        self._cursor = cursor
        behind = channel.last_seq - cursor
        limit = self._services.config.viewer_buffer_lines
        if self._caught_up and blocked and behind > limit:
            raise TooSlow(f"{behind} lines behind")
        return True

    async def _from_store(self) -> tuple[str, int] | None:
        page = await self._services.reads.lines(
            self._key, self._cursor, limit=PAGE_LINES
        )
        if not page:
            return None
        parts = [chunk.encoded_from(0) for chunk in _chunks(page)]
        return lines_message(parts), page[-1][1][1] + 1

    def _patience(self, channel: Channel) -> float | None:
        """Return how many seconds to wait before the end, or None when not final."""
        summary = channel.summary
        if summary is None or not summary.status.final:
            return None
        if channel.last_seq >= summary.expected_lines:
            return 0.0
        since = summary.final_at or summary.status_at
        return since + MISSING_LINES_SECONDS - time.time()

    async def _end(self, channel: Channel) -> None:
        summary = channel.summary
        assert summary is not None
        end = ViewerEnd(
            status=summary.status,
            last_seq=channel.last_seq,
            complete=channel.last_seq >= summary.expected_lines,
        )
        await self._send(end.model_dump_json())
        await self._websocket.close(1000)

    async def _send(self, text: str) -> bool:
        """Send one message; return whether it had to wait for the network."""
        began = time.monotonic()
        limit = self._services.config.send_timeout
        try:
            async with asyncio.timeout(limit):
                await self._websocket.send({"type": "websocket.send", "text": text})
        except TimeoutError:
            raise TooSlow(f"nothing was read for {limit:g} seconds") from None
        return time.monotonic() - began > _BLOCKED_SECONDS

    async def _woken(self, seconds: float) -> bool:
        """Wait for news; return False when there were none in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self._wake.wait()
                self._wake.clear()
                return True
        return False

    async def _cut_off(self, reason: str) -> None:
        notice = ViewerCutOff(resume_from=self._cursor, reason=reason)
        last_word = self._websocket.scope.get("extensions", {}).get(LAST_WORD)
        if last_word is not None:
            last_word(notice.model_dump_json(), CUT_OFF_CODE, reason)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._services.config.send_timeout):
                await self._websocket.send_text(notice.model_dump_json())
                await self._websocket.close(CUT_OFF_CODE, reason)


def _chunks(page: list[Line]) -> list[Chunk]:
    """Group neighbours of one source, so that they are encoded together."""
    chunks: list[Chunk] = []
    for source, row in page:
        if chunks and chunks[-1].source == source:
            chunks[-1].rows.append(row)
        else:
            chunks.append(Chunk(source, [row]))
    return chunks


@router.websocket("/executions/{execution_id}/logs")
async def view(websocket: WebSocket, execution_id: str) -> None:
    """Send `ViewerMessage` frames from `fromSeq` on."""
    services = services_of(websocket)
    await websocket.accept(
        subprotocol=chosen_subprotocol(websocket.scope["subprotocols"])
    )
    try:
        check_origin(websocket)
        claims = claims_of(websocket, READERS, browser=True)
    except GatewayError as error:
        await websocket.close(error.close_code, str(error)[:120])
        return
    from_seq = _number(websocket.query_params.get("fromSeq", "1"))
    viewer = Viewer(websocket, services, claims, execution_id, from_seq)
    with services.metrics.viewers.track_inprogress():
        await _until_gone(websocket, viewer)


def _number(text: str) -> int:
    digits = text.strip()[:16]
    return max(1, int(digits)) if digits.isascii() and digits.isdigit() else 1


async def _until_gone(websocket: WebSocket, viewer: Viewer) -> None:
    """Run the viewer; end it when the other side is gone."""
    following = asyncio.create_task(viewer.follow())
    listening = asyncio.create_task(_listen(websocket))
    try:
        await asyncio.wait((following, listening), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (following, listening):
            task.cancel()
        results = await asyncio.gather(following, listening, return_exceptions=True)
    failure = results[0]
    if isinstance(failure, Exception) and not isinstance(
        failure, (WebSocketDisconnect, RuntimeError)
    ):
        raise failure


async def _listen(websocket: WebSocket) -> None:
    with contextlib.suppress(WebSocketDisconnect):
        while (await websocket.receive())["type"] != "websocket.disconnect":
            pass
