"""The WebSocket that workers send lines and execution records to."""

import asyncio
import contextlib
from collections import deque

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from contracts.logs import IngestReply
from gateway.access import WRITERS, check_origin, claims_of
from gateway.errors import GatewayError, RecordRefused, StorageFailed
from gateway.intake import Intake, Item
from gateway.records import parse
from gateway.services import services_of

router = APIRouter()

# What sending to a closed WebSocket raises.
_GONE = (WebSocketDisconnect, RuntimeError)


class IngestConnection:
    """One worker: reads its messages, answers when they are stored."""

    def __init__(self, websocket: WebSocket, intake: Intake) -> None:
        self._websocket = websocket
        self._intake = intake
        self._replies: deque[IngestReply] = deque()
        self._wake = asyncio.Event()
        self._failed = False

    async def run(self) -> None:
        """Serve the connection until it ends or the database has a problem."""
        replying = asyncio.create_task(self._reply())
        reading = asyncio.create_task(self._read())
        try:
            await asyncio.wait((reading, replying), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (reading, replying):
                task.cancel()
            ends = await asyncio.gather(reading, replying, return_exceptions=True)
        for end in ends:
            # A peer that is gone is no news; anything else is a fault of ours.
            if isinstance(end, Exception) and not isinstance(end, _GONE):
                raise end

    def stored(self, identifier: int) -> None:
        """Acknowledge everything up to `identifier`."""
        # After a failure an acknowledgement would cover what was not stored.
        if self._failed:
            return
        if self._replies and self._replies[-1].type == "ack":
            self._replies.pop()
        self._answer(IngestReply(type="ack", id=identifier))

    def refused(self, identifier: int, reason: str) -> None:
        """Tell the worker that one message cannot be stored."""
        if not self._failed:
            self._answer(IngestReply(type="refused", id=identifier, reason=reason))

    def failed(self) -> None:
        """Have the worker come again: it keeps what was not acknowledged."""
        self._failed = True
        self._wake.set()

    def _answer(self, reply: IngestReply) -> None:
        self._replies.append(reply)
        self._wake.set()

    async def _read(self) -> None:
        expected = 1
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                message = await self._websocket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                item = self._item(message.get("text"), expected)
                expected = item.identifier + 1
                await self._intake.put(item)

    def _item(self, text: str | None, expected: int) -> Item:
        if text is None:
            reason = "message: a text frame was expected"
            return Item(self, expected, None, 0, reason)
        try:
            message = parse(text, expected)
        except RecordRefused as refusal:
            return Item(self, refusal.identifier, None, 0, str(refusal))
        return Item(self, message.id, message.record, len(text))

    async def _reply(self) -> None:
        while not self._failed:
            await self._wake.wait()
            self._wake.clear()
            while self._replies:
                reply = self._replies.popleft()
                await self._websocket.send_text(reply.model_dump_json())
        await self._websocket.close(StorageFailed.close_code, "storage failed")


@router.websocket("/ingest")
async def ingest(websocket: WebSocket) -> None:
    """Take `IngestMessage` frames, answer with `IngestReply` frames."""
    services = services_of(websocket)
    await websocket.accept()
    try:
        check_origin(websocket)
        claims_of(websocket, WRITERS)
    except GatewayError as error:
        await websocket.close(error.close_code, str(error)[:120])
        return
    with services.metrics.ingest_connections.track_inprogress():
        await IngestConnection(websocket, services.intake).run()
    if websocket.application_state is WebSocketState.CONNECTED:
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await websocket.close()
