"""Starts executions for the gateway, over a Temporal client of its own.

The client is made when the first execution is to be started, so that a gateway lives
without Temporal, and made again after a failure to connect.
"""

import asyncio
import logging
from typing import TYPE_CHECKING
from urllib.parse import quote

from contracts import names
from contracts.events import EventRequest
from contracts.graphs import GraphRequest
from gateway.hooks_errors import HooksUnavailable
from worker.settings import Settings

if TYPE_CHECKING:
    from temporalio.client import Client

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
START_SECONDS = 10.0


class TemporalStarts:
    """Starts each execution once, however often it is asked to.

    Args:
        settings: Where Temporal is, and the queue that executions are started on.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: Client | None = None
        self._connecting = asyncio.Lock()

    async def start(self, request: EventRequest | GraphRequest) -> str:
        """Start the workflow of a request; return its id. Raises HooksUnavailable."""
        # Temporal is not loaded by a gateway that starts nothing.
        from temporalio.exceptions import WorkflowAlreadyStartedError
        from temporalio.service import RPCError

        if isinstance(request, GraphRequest):
            kind, title = names.GRAPH_WORKFLOW, request.workflow.name
            workflow_id = names.graph_id(request.workflow.id, request.execution_id)
        else:
            kind, title = names.EVENT_WORKFLOW, request.event.name
            workflow_id = names.workflow_id(request.event.id, request.execution_id)
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._start(request, kind, workflow_id, title)
        except WorkflowAlreadyStartedError:
            # It ended already; the call that asks again gets the same answer.
            return workflow_id
        except (RPCError, TimeoutError) as error:
            logger.warning("Temporal took no start: %s", error)
            raise HooksUnavailable("Temporal did not take the start.") from error
        return workflow_id

    async def _start(
        self,
        request: EventRequest | GraphRequest,
        kind: str,
        workflow_id: str,
        title: str,
    ) -> None:
        from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

        from workflows.priorities import priority_of

        gateway = self._settings.gateway
        base = (gateway.public_url or gateway.url).rstrip("/")
        link = f"{base}/logs/{quote(request.execution_id)}"
        client = await self._connected()
        await client.start_workflow(
            kind,
            request,
            id=workflow_id,
            task_queue=self._settings.temporal.task_queue,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=title,
            static_details=f"[Log of this execution]({link})",
            priority=priority_of(request),
        )

    async def _connected(self) -> "Client":
        from worker.temporal import TemporalUnavailable, connect

        async with self._connecting:
            if self._client is None:
                try:
                    self._client = await connect(
                        self._settings, patience=CONNECT_SECONDS
                    )
                except TemporalUnavailable as error:
                    logger.warning("%s", error)
                    raise HooksUnavailable("Temporal does not answer.") from error
            return self._client
