"""How much work a process asks Temporal for before it has begun what it has."""

import asyncio
import contextlib
import threading
from collections import deque
from dataclasses import dataclass

from temporalio.worker import (
    CustomSlotSupplier,
    SlotMarkUsedContext,
    SlotPermit,
    SlotReleaseContext,
    SlotReserveContext,
)

# The SDK polls a queue five times at once, and each poll holds a slot from before it
# asks. A few more let the next ones be on their way while these are begun.
AHEAD = 8


@dataclass(eq=False, slots=True)
class Permit(SlotPermit):
    """A slot that somebody has."""

    ahead: bool = True
    """Whether its activity was not begun yet."""


class Intake(CustomSlotSupplier):
    """Slots of which only a few are asked for at a time.

    The clock of an activity's heartbeat runs from the moment at which Temporal gives
    it away. A busy process begins one activity per turn of its event loop, but with a
    fixed number of slots the SDK takes hundreds within a second: those that wait are
    missed, sent out again, and keep the process still busier. So what this process has
    not begun stays on the queue, where nobody misses it and others may take it.

    Args:
        slots: Activities at the same time.
        ahead: How many of them may be polled for, or wait to be begun.
    """

    def __init__(self, slots: int, ahead: int = AHEAD) -> None:
        self._slots = slots
        self._ahead = ahead
        # The SDK calls from threads of its own.
        self._lock = threading.Lock()
        self._taken = 0
        self._not_begun = 0
        self._turns: deque[asyncio.Future[None]] = deque()

    async def reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit:
        """Return a slot once there is one and its activity would soon be begun."""
        while (permit := self._take()) is None:
            turn = asyncio.get_running_loop().create_future()
            with self._lock:
                self._turns.append(turn)
            # It may have become free between the two.
            self._wake()
            try:
                await turn
            except asyncio.CancelledError:
                self._wake()
                raise
        return permit

    def try_reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit | None:
        """Return a slot if there is one."""
        return self._take()

    def mark_slot_used(self, ctx: SlotMarkUsedContext) -> None:
        """Hear that an activity is begun."""
        assert isinstance(ctx.permit, Permit)
        with self._lock:
            self._begin(ctx.permit)
        self._wake()

    def release_slot(self, ctx: SlotReleaseContext) -> None:
        """Take a slot back, from an activity or from a poll that brought none."""
        assert isinstance(ctx.permit, Permit)
        with self._lock:
            self._begin(ctx.permit)
            self._taken -= 1
        self._wake()

    def _begin(self, permit: Permit) -> None:
        self._not_begun -= permit.ahead
        permit.ahead = False

    def _room(self) -> bool:
        return self._taken < self._slots and self._not_begun < self._ahead

    def _take(self) -> Permit | None:
        with self._lock:
            if not self._room():
                return None
            self._taken += 1
            self._not_begun += 1
            return Permit()

    def _wake(self) -> None:
        """Let the next in turn look again."""
        with self._lock:
            while self._room() and self._turns:
                turn = self._turns.popleft()
                if turn.cancelled():
                    continue
                # Of a worker that has ended nobody waits any more.
                with contextlib.suppress(RuntimeError):
                    turn.get_loop().call_soon_threadsafe(_resolve, turn)
                    return


def _resolve(turn: "asyncio.Future[None]") -> None:
    if not turn.done():
        turn.set_result(None)
