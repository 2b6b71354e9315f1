"""Sandboxes that were started in advance, so that a run need not wait for one.

Starting a container takes the daemon and the kernel far longer than all of ours. A run
leaves a fresh one of its own kind behind: same image, limits and network, nothing of
any run inside. The next run of that kind takes it over, once; what nobody takes is
removed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from contracts.errors import CroniumError
from contracts.events import Network, Resources
from engines.docker.gate import Gate
from engines.places import SandboxSpec

logger = logging.getLogger(__name__)

IDLE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Kind:
    """What two runs have in common that may use the same sandbox."""

    image: str
    resources: Resources
    network: Network

    @classmethod
    def of(cls, spec: SandboxSpec) -> "Kind":
        """Return the kind of a run."""
        return cls(spec.image, spec.resources, spec.network)


@dataclass(frozen=True, slots=True)
class Warm:
    """A sandbox that waits for a script."""

    name: str
    container: str
    """The daemon's id of it: whatever it is renamed to."""
    image: str
    """Id of the image that it was made from."""
    gate: Gate


@dataclass(eq=False, slots=True)
class _Slot:
    kind: Kind
    task: "asyncio.Task[Warm]"
    expiry: asyncio.TimerHandle | None = None


@dataclass
class WarmPool:
    """Keeps a few sandboxes ready.

    Args:
        size: How many at most; 0 keeps none.
        make: Makes one.
        discard: Removes one.
        idle: Seconds after which one that nobody took is removed.
    """

    size: int
    make: Callable[[Kind], Coroutine[Any, Any, Warm]]
    discard: Callable[[Warm], Awaitable[None]]
    idle: float = IDLE_SECONDS
    _slots: list[_Slot] = field(default_factory=list)
    _ending: set["asyncio.Task[None]"] = field(default_factory=set)

    @property
    def waiting(self) -> int:
        """How many are ready to be taken."""
        return sum(_is_made(slot.task) for slot in self._slots)

    async def take(self, kind: Kind) -> Warm | None:
        """Return one of a kind, which is the caller's from now on; None: none there.

        One that is being made is waited for: that is never slower than another one.
        """
        while slot := next((s for s in self._slots if s.kind == kind), None):
            self._forget(slot)
            try:
                return await asyncio.shield(slot.task)
            except asyncio.CancelledError:
                self._end(slot)
                raise
            except Exception as error:
                # The run makes one for itself, and says what is wrong when it cannot.
                logger.debug("no sandbox in advance: %s", error)
        return None

    def refill(self, kind: Kind) -> None:
        """Have one ready for the next run of a kind."""
        if self.size < 1:
            return
        if len(self._slots) >= self.size:
            others = [slot for slot in self._slots if slot.kind != kind]
            if len(others) < len(self._slots):
                return
            # The kind that was asked for longest ago makes room.
            self._drop(others[0])
        slot = _Slot(kind, asyncio.create_task(self.make(kind)))
        self._slots.append(slot)
        loop = asyncio.get_running_loop()
        slot.expiry = loop.call_later(self.idle, self._drop, slot)
        slot.task.add_done_callback(lambda task: self._check(slot, task))

    def clear(self) -> None:
        """Let go of all of them, as when the daemon was away."""
        for slot in list(self._slots):
            self._drop(slot)

    async def close(self) -> None:
        """Remove all of them."""
        self.size = 0
        self.clear()
        while self._ending:
            await asyncio.wait(set(self._ending))

    def _check(self, slot: _Slot, task: "asyncio.Task[Warm]") -> None:
        if not _is_made(task) and slot in self._slots:
            self._forget(slot)
            logger.debug("no sandbox in advance: %s", _trouble(task))

    def _forget(self, slot: _Slot) -> None:
        self._slots.remove(slot)
        if slot.expiry is not None:
            slot.expiry.cancel()

    def _drop(self, slot: _Slot) -> None:
        if slot in self._slots:
            self._forget(slot)
            self._end(slot)

    def _end(self, slot: _Slot) -> None:
        task = asyncio.create_task(self._remove(slot.task))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _remove(self, making: "asyncio.Task[Warm]") -> None:
        await asyncio.wait([making])
        if not _is_made(making):
            return
        try:
            await self.discard(making.result())
        except CroniumError as error:
            # The janitor comes by.
            logger.warning("%s", error)


def _is_made(task: "asyncio.Task[Warm]") -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


def _trouble(task: "asyncio.Task[Warm]") -> object:
    return "cancelled" if task.cancelled() else task.exception()
