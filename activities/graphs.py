"""Local activities of graphs: admission of all their events, and variables."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from temporalio import activity

from activities.failures import application_error
from contracts.errors import CroniumError, VariableNotFound
from contracts.events import EventRequest, EventSpec, Trigger
from contracts.graph_nodes import EventNode, MapNode, WorkflowNode
from contracts.graph_parts import (
    ADMIT_GRAPH,
    READ_VARIABLES,
    VariablesFound,
    VariablesOrder,
)
from contracts.graphs import GraphRequest, GraphSpec
from contracts.logs import ExecutionRecord
from contracts.results import Status
from contracts.runs import Admission
from engines.messages import check_messages


class Variables(Protocol):
    """Where variables are read."""

    async def get(self, user: str, key: str) -> object:
        """Return a value; raises VariableNotFound."""


@dataclass(frozen=True, slots=True)
class GraphActivities:
    """What a workflow worker answers to graphs.

    Args:
        admission: The operator's settings; `logs_url` may hold `{execution}`.
        check: Raises when an event asks for more than the operator allows.
        record: Hands a record to the log way, durably; False when it cannot.
        clock: Seconds since 1970.
        variables: The store of variables.
    """

    admission: Admission
    check: Callable[[EventRequest], None]
    record: Callable[[ExecutionRecord], bool]
    clock: Callable[[], float]
    variables: Variables

    @activity.defn(name=ADMIT_GRAPH.name)
    async def admit_graph(self, request: GraphRequest) -> Admission:
        """Check all events of a graph; tell the workflow the settings."""
        for path, event in events_of(request.workflow, "workflow"):
            try:
                self.check(_alone(request, event))
                check_messages(event)
            except CroniumError as error:
                raise application_error(
                    type(error)(f"{path}: {error}", hint=error.user_hint)
                ) from None
        info = activity.info()
        self.record(
            ExecutionRecord(
                execution_id=request.execution_id,
                event_id=request.workflow.id,
                event_name=request.workflow.name,
                event_type="workflow",
                user=request.user,
                trigger=request.trigger,
                status=Status.RUNNING,
                timestamp=self.clock(),
                workflow_id=info.workflow_id or "",
                run_id=info.workflow_run_id or "",
            )
        )
        url = self.admission.logs_url.replace("{execution}", request.execution_id)
        return self.admission.model_copy(update={"logs_url": url})

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


def events_of(spec: GraphSpec, path: str) -> list[tuple[str, EventSpec]]:
    """Return every event of a graph with its path, those of inner graphs included."""
    found = [(f"{path}.events.{name}", event) for name, event in spec.events.items()]
    for index, node in enumerate(spec.nodes):
        place = f"{path}.nodes[{index}]"
        if isinstance(node, EventNode | MapNode) and isinstance(node.event, EventSpec):
            found.append((f"{place}.event", node.event))
        inner = node.workflow if isinstance(node, WorkflowNode | MapNode) else None
        if inner is not None:
            found += events_of(inner, f"{place}.workflow")
    return found


def _alone(request: GraphRequest, event: EventSpec) -> EventRequest:
    return EventRequest(
        execution_id=request.execution_id,
        event=event,
        trigger=Trigger.WORKFLOW,
        user=request.user,
        priority=request.priority,
    )
