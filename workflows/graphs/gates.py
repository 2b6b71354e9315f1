"""A run's side of concurrency keys: ask for a place, wait, give it back."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from contracts import names
    from contracts.errors import ErrorInfo
    from contracts.gates import (
        ENTER_GATE,
        GATE_LEAVE,
        GateOrder,
        GateWord,
        Ticket,
        Word,
    )
    from contracts.graph_nodes import Concurrency
    from contracts.graph_results import GraphError
    from contracts.limits import MAX_ID_LENGTH

ENTER_TIMEOUT = timedelta(seconds=20)
ENTER_PATIENCE = timedelta(minutes=10)
YIELDED = ErrorInfo(
    type=GraphError.KEY_TAKEN,
    message="A later run of its concurrency key took its place "
    "(onLimit: cancel_previous).",
)
TAKEN = ErrorInfo(
    type=GraphError.KEY_TAKEN,
    message="As many runs of its concurrency key are under way as may be "
    "(onLimit: skip).",
)
MAX_KEY = 1_000
Value = TypeVar("Value")


class KeyTaken(Exception):
    """There is no place, and none is waited for."""


class Gates:
    """The tickets of one workflow."""

    def __init__(self) -> None:
        self._words: dict[str, Word] = {}
        self._yields: dict[str, Callable[[], None]] = {}

    def take(self, word: GateWord) -> None:
        """Hear what a gate says."""
        if word.ticket not in self._words and word.ticket not in self._yields:
            return
        self._words[word.ticket] = word.word
        if word.word is Word.YIELD:
            self._yields[word.ticket]()

    async def hold(
        self,
        concurrency: Concurrency,
        key: str,
        user: str,
        who: str,
        displaced: Callable[[], None],
        work: Callable[[], Awaitable[Value]],
    ) -> Value:
        """Do some work while a place is held, and return what comes of it.

        Args:
            concurrency: How many places there are.
            key: The key's value.
            user: Whose runs are counted.
            who: Which node of the workflow; "" is all of it.
            displaced: Called when a later run takes the place.
            work: What is to be done.

        Raises:
            KeyTaken: There is none.
            FailureError: The gate cannot be reached.
        """
        info = workflow.info()
        gate = names.gate_id(user[:MAX_ID_LENGTH], key[:MAX_KEY])
        ticket = Ticket(
            id=f"{info.workflow_id}/{info.run_id}/{who}",
            workflow_id=info.workflow_id,
            run_id=info.run_id,
            limit=concurrency.limit,
            on_limit=concurrency.on_limit,
        )
        self._yields[ticket.id] = displaced
        order = GateOrder(gate=gate, task_queue=info.task_queue, ticket=ticket)
        # Not `finally`: a workflow that is put out of the cache is closed in the middle
        # of an `await`, and may await nothing then.
        try:
            await self._wait(order)
            value = await work()
        except (Exception, asyncio.CancelledError):
            await self._end(gate, ticket)
            raise
        await self._end(gate, ticket)
        return value

    async def _wait(self, order: GateOrder) -> None:
        await workflow.execute_local_activity(
            ENTER_GATE.name,
            order,
            result_type=ENTER_GATE.result,
            start_to_close_timeout=ENTER_TIMEOUT,
            schedule_to_close_timeout=ENTER_PATIENCE,
        )
        ticket = order.ticket.id
        await workflow.wait_condition(lambda: ticket in self._words)
        if self._words[ticket] is Word.TAKEN:
            raise KeyTaken

    async def _end(self, gate: str, ticket: Ticket) -> None:
        del self._yields[ticket.id]
        if self._words.pop(ticket.id, None) is not Word.TAKEN:
            await _leave(gate, ticket)


async def _leave(gate: str, ticket: Ticket) -> None:
    """Give a place back, also when the run was cancelled."""

    async def tell() -> None:
        # A gate that is gone has nobody in it.
        with contextlib.suppress(FailureError):
            there = workflow.get_external_workflow_handle(gate)
            await there.signal(GATE_LEAVE, ticket.id)

    telling = asyncio.ensure_future(tell())
    try:
        await asyncio.shield(telling)
    except asyncio.CancelledError:
        await telling
        raise
