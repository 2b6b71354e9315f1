"""Concurrency keys: what a run and the workflow that counts the runs of a key say.

A run enters with a ticket and waits for a word. The gate gives places in the order of
the tickets, and asks now and then whether those who have one are still there.
"""

from enum import StrEnum

from contracts.base import TolerantModel
from contracts.graph_nodes import OnLimit
from contracts.runs import ActivityStub

GATE_ENTER = "enter"
"""Signal to a gate."""
GATE_LEAVE = "leave"
"""Signal to a gate."""
GATE_WORD = "gate_word"
"""Signal from a gate."""


class Ticket(TolerantModel):
    """Somebody who wants a place, or has one."""

    id: str
    """Unique: the workflow's id and run, and which node."""
    workflow_id: str
    run_id: str
    limit: int
    """Places there are, as this one says."""
    on_limit: OnLimit = OnLimit.QUEUE


class Word(StrEnum):
    """What a gate says to a ticket."""

    GRANTED = "granted"
    TAKEN = "taken"
    """No place is free, and it does not want to wait."""
    YIELD = "yield"
    """A later one takes its place: it is to stop."""


class GateWord(TolerantModel):
    """A word to one ticket."""

    ticket: str
    word: Word


class GateOrder(TolerantModel):
    """Enter a gate: argument of `enter_gate`."""

    gate: str
    """Workflow id of the gate."""
    task_queue: str
    ticket: Ticket


class GateState(TolerantModel):
    """What a gate carries into its next run."""

    holders: list[Ticket] = []
    waiting: list[Ticket] = []
    yielding: list[str] = []
    """Tickets that were asked to stop."""


class Tickets(TolerantModel):
    """Those whose workflows are to be looked for: argument of `tickets_alive`."""

    tickets: list[Ticket]


ENTER_GATE = ActivityStub("enter_gate", GateOrder, bool)
TICKETS_ALIVE = ActivityStub("tickets_alive", Tickets, Tickets)
