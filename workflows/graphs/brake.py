"""Pause and resume: of one workflow, and passed on to the parts that it started."""

import asyncio
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from contracts.graph_parts import BRAKE_WORD, BrakeWord

Result = TypeVar("Result")
PASSED_ON = "pause-reaches-parts"


class Brake:
    """Says whether anything may begin.

    Args:
        on: Whether it is on at the beginning.
    """

    def __init__(self, *, on: bool = False) -> None:
        self.on = on
        self.holds_items = on
        """Whether no item of a map may begin."""
        self._words = 0

    def set(self, *, on: bool) -> None:
        """Pull or release it, here and in the parts."""
        self.on = on
        # Runs from before it was passed on are replayed as they were.
        if workflow.patched(PASSED_ON):
            self.holds_items = on
            self._words += 1

    async def guide(
        self, part: workflow.ChildWorkflowHandle[Any, Any], *, told: bool
    ) -> None:
        """Tell a part each word that is said from now on.

        Args:
            part: The part, which has begun.
            told: Whether it began with the brake on.
        """
        heard = self._words if told is self.holds_items else None
        while True:
            heard = await self._next_word(heard)
            try:
                await part.signal(BRAKE_WORD, BrakeWord(on=self.on))
            except FailureError:
                # It has just ended.
                return

    async def _next_word(self, heard: int | None) -> int:
        await workflow.wait_condition(lambda: self._words != heard)
        return self._words


async def guided(
    brake: Brake, part: workflow.ChildWorkflowHandle[Any, Result], *, told: bool
) -> Result:
    """Return a part's result, telling it what is said to the brake until then."""
    guide = asyncio.create_task(brake.guide(part, told=told))
    try:
        return await part
    finally:
        guide.cancel()
