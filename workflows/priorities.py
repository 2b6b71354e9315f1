"""Who is served first, and that no user's queue holds up another's."""

from temporalio import workflow
from temporalio.common import Priority

with workflow.unsafe.imports_passed_through():
    from contracts.events import EventRequest
    from contracts.graphs import GraphRequest

# Temporal's limit, in bytes.
MAX_FAIRNESS_KEY = 64


def priority_of(request: EventRequest | GraphRequest) -> Priority:
    """Return what Temporal is told of an order's place in the queues."""
    return priority(request.priority, request.user)


def priority(order: int, user: str) -> Priority:
    """Return a place in the queues: 1 is first, and users have turns."""
    return Priority(priority_key=order, fairness_key=user[:MAX_FAIRNESS_KEY])
