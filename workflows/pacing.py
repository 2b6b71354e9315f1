"""How much one workflow task may send: gRPC takes 4 MiB, whatever a fan-out wants.

Starts that do not fit any more wait for the next workflow task, by the
shortest timer there is: a second of Temporal's. Whoever sends little never meets it.
"""

import asyncio

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.limits import MAX_COMMAND_BYTES, MAX_HISTORY_BYTES

NEXT_TASK = 0.001


class Pacer:
    """Lets starts through as long as there is room in the current workflow task."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._task = 0
        self._sent = 0

    async def room(self, size: int) -> None:
        """Return when so many bytes may be sent."""
        async with self._turn:
            while True:
                task = workflow.info().get_current_history_length()
                if task != self._task:
                    self._task, self._sent = task, 0
                if self._sent == 0 or self._sent + size <= MAX_COMMAND_BYTES:
                    break
                await workflow.sleep(NEXT_TASK, summary="room for the next start")
            self._sent += size


def history_is_full() -> bool:
    """Whether this workflow should send nothing out anew: Temporal would end it."""
    return workflow.info().get_current_history_size() > MAX_HISTORY_BYTES
