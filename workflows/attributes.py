"""Search attributes: what operators filter by in the web UI and `cronium list`."""

from temporalio import workflow
from temporalio.common import SearchAttributeKey

with workflow.unsafe.imports_passed_through():
    from contracts import names
    from contracts.events import EventRequest
    from contracts.graphs import GraphRequest, GraphResult
    from contracts.results import ExecutionResult, Status
    from contracts.runs import Admission

EVENT = SearchAttributeKey.for_keyword(names.ATTRIBUTE_EVENT)
USER = SearchAttributeKey.for_keyword(names.ATTRIBUTE_USER)
TRIGGER = SearchAttributeKey.for_keyword(names.ATTRIBUTE_TRIGGER)
STATUS = SearchAttributeKey.for_keyword(names.ATTRIBUTE_STATUS)
HOST = SearchAttributeKey.for_keyword(names.ATTRIBUTE_HOST)
TAGS = SearchAttributeKey.for_keyword_list(names.ATTRIBUTE_TAGS)
EXIT_CODE = SearchAttributeKey.for_int(names.ATTRIBUTE_EXIT_CODE)


def at_start(request: EventRequest, admission: Admission) -> None:
    """Write what is known before the first try, when the namespace knows the names."""
    if not admission.search_attributes:
        return
    workflow.upsert_search_attributes(
        [
            EVENT.value_set(request.event.id),
            USER.value_set(request.user),
            TRIGGER.value_set(request.trigger),
            STATUS.value_set(Status.RUNNING),
            TAGS.value_set(sorted(request.event.tags)),
        ]
    )


def at_end(result: ExecutionResult, admission: Admission) -> None:
    """Write the outcome."""
    if not admission.search_attributes:
        return
    updates = [STATUS.value_set(result.status)]
    hosts = [row.host for row in result.targets if row.host]
    if hosts:
        updates.append(HOST.value_set(hosts[0]))
    if result.exit_code is None:
        workflow.upsert_search_attributes(updates)
    else:
        workflow.upsert_search_attributes(
            [*updates, EXIT_CODE.value_set(result.exit_code)]
        )


def at_graph_start(request: GraphRequest, admission: Admission) -> None:
    """Write what is known of a graph's run before its first node."""
    if admission.search_attributes:
        workflow.upsert_search_attributes(
            [
                EVENT.value_set(request.workflow.id),
                USER.value_set(request.user),
                TRIGGER.value_set(request.trigger),
                STATUS.value_set(Status.RUNNING),
                TAGS.value_set(sorted(request.workflow.tags)),
            ]
        )


def at_graph_end(result: GraphResult, admission: Admission) -> None:
    """Write the outcome of a graph's run."""
    if admission.search_attributes:
        workflow.upsert_search_attributes([STATUS.value_set(result.status)])
