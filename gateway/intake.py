"""Group commit: what all connections have waiting is stored in one transaction."""

import asyncio
import contextlib
import logging
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from contracts.limits import MIB
from gateway.errors import StorageFailed
from gateway.metrics import Metrics
from gateway.store import Record, Store

_MAX_WAITING_CHARS = 32 * MIB
# Keeps one transaction, and with it the wait of the lines behind it, short.
_MAX_GROUP_CHARS = 2 * MIB
# The price of a message besides its text, so that empty ones are bounded as well.
_MESSAGE_COST = 512

REFUSED_BY_DATABASE = "record: the database does not take it as it is"


class Sender(Protocol):
    """A connection that waits for answers."""

    def stored(self, identifier: int) -> None:
        """Everything up to this message is stored, unless it was refused."""

    def refused(self, identifier: int, reason: str) -> None:
        """This one message cannot be stored."""

    def failed(self) -> None:
        """The database has a problem: the sender should come again later."""


@dataclass(slots=True)
class Item:
    """One message of one connection."""

    sender: Sender
    identifier: int
    record: Record | None
    """None: refused already, with the reason."""
    size: int
    reason: str = ""


class Intake:
    """The queue between the ingest connections and the writer."""

    def __init__(self, store: Store, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics
        self._waiting: deque[Item] = deque()
        self._size = 0
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether the writer is at work."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Start the writer."""
        self._task = asyncio.create_task(self._run(), name="gateway-writer")

    async def stop(self) -> None:
        """Store what is waiting, then end the writer."""
        task, self._task = self._task, None
        if task is None:
            return
        self._filled.set()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def put(self, item: Item) -> None:
        """Queue a message; waits while too much is queued, which slows its sender."""
        await self._room.wait()
        self._waiting.append(item)
        self._size += item.size + _MESSAGE_COST
        if self._size > _MAX_WAITING_CHARS:
            self._room.clear()
        self._filled.set()

    async def _run(self) -> None:
        while self._waiting or self._task is not None:
            await self._filled.wait()
            self._filled.clear()
            while self._waiting:
                await self._store_group(self._take())

    def _take(self) -> list[Item]:
        group: list[Item] = []
        size = 0
        while self._waiting and size < _MAX_GROUP_CHARS:
            item = self._waiting.popleft()
            size += item.size + _MESSAGE_COST
            group.append(item)
        self._size -= size
        if self._size <= _MAX_WAITING_CHARS:
            self._room.set()
        return group

    async def _store_group(self, group: list[Item]) -> None:
        records = [item.record for item in group if item.record is not None]
        try:
            taken = iter(await self._store.write(records) if records else [])
        except StorageFailed:
            logging.getLogger(__name__).exception("A group of records was not stored")
            _fail(group)
            return
        except Exception:
            # The writer must outlive any single group: without it nothing is stored.
            logging.getLogger(__name__).exception("The writer met an unforeseen error")
            self._store.cache.clear()
            _fail(group)
            return
        for item in group:
            if item.record is None:
                self._refuse(item, item.reason)
            elif not next(taken):
                self._refuse(item, REFUSED_BY_DATABASE)
        for item in group:
            if item.record is not None:
                item.sender.stored(item.identifier)

    def _refuse(self, item: Item, reason: str) -> None:
        self._metrics.records_refused.inc()
        item.sender.refused(item.identifier, reason)


def _fail(group: list[Item]) -> None:
    for sender in {id(item.sender): item.sender for item in group}.values():
        sender.failed()
