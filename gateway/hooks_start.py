"""What the gateway needs of Temporal, so that it starts and lives without it."""

from typing import Protocol

from contracts.events import EventRequest
from contracts.graphs import GraphRequest


class Starts(Protocol):
    """Starts executions."""

    async def start(self, request: EventRequest | GraphRequest) -> str:
        """Start an execution unless it was before; return the workflow's id.

        Raises HooksUnavailable when it is not known whether that was possible.
        """
