"""Local activities of graphs: admission of all their events, and variables."""

from dataclasses import dataclass
from typing import Protocol

from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from activities.admitting import Admitting
from activities.auditing import audit_admission
from activities.failures import application_error
from contracts import names
from contracts.errors import CroniumError, VariableNotFound
from contracts.events import EventRequest, EventSpec, Trigger
from contracts.gates import (
    ENTER_GATE,
    GATE_ENTER,
    TICKETS_ALIVE,
    GateOrder,
    GateState,
    Ticket,
    Tickets,
)
from contracts.graph_events import events_of
from contracts.graph_parts import (
    ADMIT_GRAPH,
    READ_VARIABLES,
    VariablesFound,
    VariablesOrder,
)
from contracts.graphs import GraphRequest
from contracts.runs import Admission
from contracts.validation import build


class Variables(Protocol):
    """Where variables are read."""

    async def get(self, user: str, key: str) -> object:
        """Return a value; raises VariableNotFound."""


@dataclass(frozen=True, slots=True)
class GraphActivities:
    """What a workflow worker answers to graphs.

    Args:
        admitting: Looks at the events, and writes down that a graph runs.
        variables: The store of variables.
        client: Temporal, for the gates of concurrency keys.
    """

    admitting: Admitting
    variables: Variables
    client: Client

    @activity.defn(name=ADMIT_GRAPH.name)
    async def admit_graph(self, request: GraphRequest) -> Admission:
        """Check all events of a graph; tell the workflow the settings."""
        events = events_of(request.workflow, "workflow")
        for path, event in events:
            try:
                await self.admitting.examine(_alone(request, event))
            except CroniumError as error:
                audit_admission(request, [event for _, event in events], error)
                raise application_error(
                    type(error)(f"{path}: {error}", hint=error.user_hint)
                ) from None
        audit_admission(request, [event for _, event in events])
        return self.admitting.begin(request)

    @activity.defn(name=READ_VARIABLES.name)
    async def read_variables(self, order: VariablesOrder) -> VariablesFound:
        """Return those of the variables that are set.

        Raises:
            ApplicationError: The store does not answer now.
        """
        values = {}
        for key in order.keys:
            try:
                values[key] = await self.variables.get(order.user, key)
            except VariableNotFound:
                continue
            except CroniumError as error:
                raise application_error(error) from None
        return VariablesFound(values=values)

    @activity.defn(name=ENTER_GATE.name)
    async def enter_gate(self, order: GateOrder) -> bool:
        """Bring a ticket to a gate, which is begun when there is none."""
        await self.client.start_workflow(
            names.GATE_WORKFLOW,
            GateState(),
            id=order.gate,
            task_queue=order.task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal=GATE_ENTER,
            start_signal_args=[order.ticket],
        )
        return True

    @activity.defn(name=TICKETS_ALIVE.name)
    async def tickets_alive(self, known: Tickets) -> Tickets:
        """Return the tickets whose workflows have not ended."""
        alive = [t for t in known.tickets if await self._is_open(t)]
        return Tickets(tickets=alive)

    async def _is_open(self, ticket: Ticket) -> bool:
        handle = self.client.get_workflow_handle(
            ticket.workflow_id, run_id=ticket.run_id
        )
        try:
            described = await handle.describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise
        return described.status is WorkflowExecutionStatus.RUNNING


def _alone(request: GraphRequest, event: EventSpec) -> EventRequest:
    return build(
        EventRequest,
        execution_id=request.execution_id,
        event=event,
        trigger=Trigger.WORKFLOW,
        user=request.user,
        priority=request.priority,
    )
