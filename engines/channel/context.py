"""What a script may know of its event, in the words of old and new helpers."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from contracts.events import EventRequest


def event_context(
    request: EventRequest,
    *,
    attempt: int,
    max_attempts: int,
    started_at: float,
    run_location: str = "LOCAL",
    server: Mapping[str, Any] | None = None,
    success_count: int = 0,
    failure_count: int = 0,
    metadata: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the context of one try.

    Args:
        request: The execution.
        attempt: The user-visible try, from 1.
        max_attempts: How many tries there may be.
        started_at: Seconds since 1970.
        run_location: `LOCAL` for a container, `REMOTE` for a server.
        server: The server it runs on, without credentials; None in a container.
        success_count: Earlier executions of the event that succeeded.
        failure_count: Earlier executions of the event that failed.
        metadata: Whatever else the caller wants scripts to see.
    """
    event = request.event
    return {
        # The service of older versions sent these …
        "executionId": request.execution_id,
        "eventId": event.id,
        "eventName": event.name,
        "eventType": event.type.value,
        "userId": request.user,
        "startTime": datetime.fromtimestamp(started_at, UTC).isoformat(),
        "metadata": dict(metadata or {}),
        # … while its documents promised these.
        "id": event.id,
        "name": event.name,
        "type": event.type.value,
        "trigger": request.trigger.value,
        "attempt": attempt,
        "maxAttempts": max_attempts,
        "tags": list(event.tags),
        "runLocation": run_location,
        "successCount": success_count,
        "failureCount": failure_count,
        "server": dict(server) if server else None,
        **({"scheduledFor": moment} if (moment := request.scheduled_for) else {}),
    }
