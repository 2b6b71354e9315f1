"""`Gate`: counts the runs of one concurrency key and gives places in order.

Temporal has no semaphore over workflows; this is one that outlives every worker. It
ends when nobody has or wants a place, and is started again by the next who comes.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from contracts import names
    from contracts.gates import (
        GATE_ENTER,
        GATE_LEAVE,
        GATE_WORD,
        TICKETS_ALIVE,
        GateState,
        GateWord,
        Ticket,
        Tickets,
        Word,
    )
    from contracts.graph_nodes import OnLimit

# A run that was terminated never leaves: so often those who hold others up are asked.
LOOK_SECONDS = 15.0
LOOK_TIMEOUT = timedelta(seconds=20)
# Then a new history begins.
MAX_WORDS = 1_000


@workflow.defn(name=names.GATE_WORKFLOW)
class Gate:
    """Gives at most so many places at a time, first come, first served."""

    @workflow.init
    def __init__(self, state: GateState) -> None:
        self._holders = list(state.holders)
        self._waiting = list(state.waiting)
        self._yielding = set(state.yielding)
        self._words: list[tuple[Ticket, Word]] = []
        self._said = 0
        self._come = False

    @workflow.run
    async def run(self, state: GateState) -> None:
        """Serve until nobody is left.

        Args:
            state: Who has or wants a place already.
        """
        while True:
            try:
                await workflow.wait_condition(
                    lambda: bool(self._words) or self._empty() or self._come,
                    timeout=LOOK_SECONDS if self._waiting else None,
                    timeout_summary="who is still there?",
                )
            except TimeoutError:
                await self._look()
            # Whoever came to wait made the wait one with a limit.
            self._come = False
            while self._words:
                await self._say(*self._words.pop(0))
            if self._empty():
                return
            if self._said >= MAX_WORDS and not self._words:
                workflow.continue_as_new(self._state())

    @workflow.signal(name=GATE_ENTER)
    def enter(self, ticket: Ticket) -> None:
        """Take a ticket; one that is known already is not taken twice."""
        if any(t.id == ticket.id for t in (*self._holders, *self._waiting)):
            return
        self._waiting.append(ticket)
        self._come = True
        if ticket.on_limit is OnLimit.CANCEL_PREVIOUS:
            self._push_out(ticket)
        self._serve()
        if ticket in self._waiting and ticket.on_limit is OnLimit.SKIP:
            self._waiting.remove(ticket)
            self._words.append((ticket, Word.TAKEN))

    @workflow.signal(name=GATE_LEAVE)
    def leave(self, ticket: str) -> None:
        """Take a place back."""
        self._forget({ticket})

    @workflow.query
    def state(self) -> GateState:
        """Return who has and who wants a place."""
        return self._state()

    def _push_out(self, ticket: Ticket) -> None:
        """Ask the oldest to stop, so that the new one has a place once they did."""
        before = [t for t in self._waiting if t is not ticket]
        self._waiting = [ticket]
        self._words += [(t, Word.YIELD) for t in before]
        staying = [t for t in self._holders if t.id not in self._yielding]
        for old in staying[: max(0, len(staying) - ticket.limit + 1)]:
            self._yielding.add(old.id)
            self._words.append((old, Word.YIELD))

    def _serve(self) -> None:
        while self._waiting and len(self._holders) < self._waiting[0].limit:
            ticket = self._waiting.pop(0)
            self._holders.append(ticket)
            self._words.append((ticket, Word.GRANTED))

    def _forget(self, gone: set[str]) -> None:
        self._holders = [t for t in self._holders if t.id not in gone]
        self._waiting = [t for t in self._waiting if t.id not in gone]
        self._yielding -= gone
        self._serve()

    def _empty(self) -> bool:
        return not (self._holders or self._waiting or self._words)

    async def _say(self, ticket: Ticket, word: Word) -> None:
        self._said += 1
        there = workflow.get_external_workflow_handle(
            ticket.workflow_id, run_id=ticket.run_id
        )
        try:
            await there.signal(GATE_WORD, GateWord(ticket=ticket.id, word=word))
        except FailureError:
            self._forget({ticket.id})  # It is over.

    async def _look(self) -> None:
        known = Tickets(tickets=[*self._holders, *self._waiting])
        try:
            alive = await workflow.execute_local_activity(
                TICKETS_ALIVE.name,
                known,
                result_type=TICKETS_ALIVE.result,
                schedule_to_close_timeout=LOOK_TIMEOUT,
            )
        except FailureError:
            return  # The next look may succeed.
        there = {ticket.id for ticket in alive.tickets}
        self._forget({t.id for t in known.tickets if t.id not in there})

    def _state(self) -> GateState:
        return GateState(
            holders=self._holders,
            waiting=self._waiting,
            yielding=sorted(self._yielding),
        )
