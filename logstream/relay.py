"""Carries every spool to the gateway, over one WebSocket, until it is acknowledged."""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable
from weakref import WeakKeyDictionary

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    WebSocketException,
)

from contracts.limits import KIB, MIB
from contracts.logs import IngestReply
from logstream.spool import Spool, SpoolDirectory

logger = logging.getLogger(__name__)

FIRST_WAIT, LONGEST_WAIT = 0.1, 15.0
# So much may be under way without an answer: enough to keep the gateway busy, little
# enough to be sent again.
WINDOW_BYTES = 4 * MIB
WINDOW_MESSAGES = 256
# A spool's turn: a flood in one run does not delay the lines of another.
TURN_BYTES = 256 * KIB
MAX_REPLY_BYTES = 4 * MIB
PING_SECONDS = 20
DRAIN_POLL_SECONDS = 0.02
# After this long an idle connection counts as accepted.
STABLE_SECONDS = 5.0
CLOSE_REFUSED = 4401


class Relay:
    """Sends records in order per spool; what is not acknowledged is sent again.

    Args:
        url: The gateway's ingest endpoint, `ws://…/ingest`.
        token: Returns a fresh bearer token for each connection.
        spools: What to send.
    """

    def __init__(
        self, url: str, token: Callable[[], str], spools: SpoolDirectory
    ) -> None:
        self._url = url
        self._token = token
        self._spools = spools
        self.connected = False
        self.problem: str | None = "no connection to the gateway yet"
        """Why lines do not reach the gateway, or None."""
        self.refused = 0
        self._wait = FIRST_WAIT
        self._warned = False

    @property
    def lag_bytes(self) -> int:
        """Bytes that the gateway has not acknowledged."""
        return self._spools.unacked_bytes

    async def run(self) -> None:
        """Send for ever; connect again whenever the connection ends."""
        while True:
            try:
                await self._session()
            except (OSError, WebSocketException, TimeoutError) as error:
                self._complain(error)
            except Exception:
                # Without the relay no run of this worker would have a log again; the
                # next connection begins with what is not acknowledged.
                logger.exception("the connection to the gateway broke off")
                self._wait = LONGEST_WAIT
                self.problem = "the connection to the gateway broke off"
            finally:
                self.connected = False
            # Jitter: many workers must not come back in the same instant.
            await asyncio.sleep(self._wait * random.uniform(0.5, 1.5))
            self._wait = min(self._wait * 2, LONGEST_WAIT)

    async def drained(self, timeout: float) -> bool:
        """Wait until everything spooled so far is acknowledged."""
        goals = [(s, s.epoch, s.size) for s in self._spools.spools.values()]

        def missing() -> bool:
            # One that was emptied since had been acknowledged whole.
            return any(s.epoch == epoch and s.acked < size for s, epoch, size in goals)

        try:
            async with asyncio.timeout(timeout):
                while missing():  # noqa: ASYNC110
                    await asyncio.sleep(DRAIN_POLL_SECONDS)
        except TimeoutError:
            return False
        return True

    async def _session(self) -> None:
        async with connect(
            self._url,
            additional_headers={"Authorization": f"Bearer {self._token()}"},
            compression=None,
            max_size=MAX_REPLY_BYTES,
            ping_interval=PING_SECONDS,
            proxy=None,
        ) as connection:
            self.connected = True
            self.problem = None
            # A gateway that refuses us accepts the connection first, to say why.
            loop = asyncio.get_running_loop()
            holding = loop.call_later(STABLE_SECONDS, self._on_good)
            try:
                await _Connection(
                    connection, self._spools, self._on_good, self._on_refused
                ).run()
            finally:
                holding.cancel()

    def _on_good(self) -> None:
        """The gateway takes what we send: the next break is a new one."""
        if self._warned:
            logger.info("the gateway is back at %s", self._url)
        self._wait, self._warned = FIRST_WAIT, False

    def _on_refused(self, spool: str, reason: str) -> None:
        self.refused += 1
        logger.warning("the gateway refused a record of %s: %s", spool, reason)

    def _complain(self, error: Exception) -> None:
        self.problem = f"no connection to {self._url}: {_reason(error)}"
        if self._warned:
            return
        self._warned = True
        logger.warning(
            "no connection to the gateway at %s (%s): lines wait in the spool",
            self._url,
            _reason(error),
        )


def _reason(error: Exception) -> str:
    closed = error.rcvd if isinstance(error, ConnectionClosed) else None
    if closed is not None and closed.code == CLOSE_REFUSED:
        return (
            f"it refuses our token: {closed.reason}; do worker and gateway have the "
            "same secret file, and do their clocks agree?"
        )
    # The text of a handshake's failure has the status, never our token.
    return str(error) if isinstance(error, InvalidHandshake) else repr(error)


class _Connection:
    """One connection's window of records under way."""

    def __init__(
        self,
        connection: ClientConnection,
        spools: SpoolDirectory,
        on_good: Callable[[], None],
        on_refused: Callable[[str, str], None],
    ) -> None:
        self._connection = connection
        self._spools = spools
        self._on_good = on_good
        self._on_refused = on_refused
        # By spool and not by name: the next try of a run may have the same name.
        self._sent: WeakKeyDictionary[Spool, tuple[int, int]] = WeakKeyDictionary()
        """How far each spool was sent: its epoch, and an offset in it."""
        self._waiting: deque[tuple[int, Spool, int, int]] = deque()
        self._skipped: set[int] = set()
        self._under_way = 0
        self._number = 0
        self._room = asyncio.Event()
        self._room.set()

    async def run(self) -> None:
        """Send and take replies until the connection ends."""
        tasks = [
            asyncio.ensure_future(self._send()),
            asyncio.ensure_future(self._receive()),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send(self) -> None:
        while True:
            self._spools.changed.clear()
            sent = False
            for spool in list(self._spools.spools.values()):
                sent = await self._turn(spool) or sent
            if not sent:
                await self._spools.changed.wait()

    async def _turn(self, spool: Spool) -> bool:
        epoch = spool.epoch
        sent_epoch, offset = self._sent.get(spool, (epoch, spool.acked))
        if sent_epoch != epoch:
            offset = spool.acked
        records = spool.read(offset, TURN_BYTES)
        for end, payload in records:
            await self._room.wait()
            size = end - offset
            offset = end
            self._sent[spool] = (epoch, end)
            if not payload:
                self._end_of(spool, end)
                continue
            self._number += 1
            self._waiting.append((self._number, spool, end, size))
            self._grow(size)
            await self._connection.send(
                b'{"id":%d,"record":%b}' % (self._number, payload), text=True
            )
        return bool(records)

    def _end_of(self, spool: Spool, end: int) -> None:
        """The end mark is ours alone: it counts once all before it is acknowledged."""
        if any(waiting is spool for _, waiting, _, _ in self._waiting):
            self._waiting.append((self._number, spool, end, 0))
            return
        spool.ack(end)
        self._spools.tidy()

    async def _receive(self) -> None:
        async for message in self._connection:
            self._on_good()
            reply = IngestReply.model_validate(orjson.loads(message))
            if reply.type == "refused":
                self._refused(reply)
            else:
                self._acked(reply.id)

    def _refused(self, reply: IngestReply) -> None:
        for number, spool, _, _ in self._waiting:
            if number == reply.id:
                self._on_refused(spool.name, reply.reason)
                break
        # It counts as acknowledged once those before it are, and blocks nobody.
        self._skipped.add(reply.id)
        self._acked(0)

    def _acked(self, up_to: int) -> None:
        settled = False
        while self._waiting:
            number, spool, end, size = self._waiting[0]
            if number > up_to and number not in self._skipped:
                break
            self._waiting.popleft()
            spool.ack(end)
            self._grow(-size)
            settled = settled or spool.settled
        if settled:
            self._spools.tidy()

    def _grow(self, size: int) -> None:
        self._under_way += size
        if self._under_way < WINDOW_BYTES and len(self._waiting) < WINDOW_MESSAGES:
            self._room.set()
        else:
            self._room.clear()
