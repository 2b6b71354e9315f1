"""A client of a running product: starts events, awaits results, reads logs."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
from temporalio.client import Client, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from contracts import names
from contracts.results import ExecutionResult
from gateway import tokens

POLL_SECONDS = 0.05


def plain_http(**options: Any) -> httpx.AsyncClient:
    """Return a client for HTTP on this machine.

    It loads no certificates: that takes the processor 20 ms each time, and tests that
    wait for something ask twenty times a second.
    """
    return httpx.AsyncClient(**{"trust_env": False, "verify": False, **options})


@dataclass
class Caller:
    """What a Next.js app does, with nothing but names and JSON."""

    client: Client
    gateway: str
    secret: str = field(repr=False)

    async def start(
        self, event: dict[str, Any], **request: Any
    ) -> WorkflowHandle[Any, ExecutionResult]:
        """Start an event as a client would: raw JSON by name."""
        execution = request.pop("execution_id", "x" + secrets.token_hex(6))
        body = {"executionId": execution, "event": event, **request}
        identity = event.get("id", "none")
        return await self.client.start_workflow(
            names.EVENT_WORKFLOW,
            body,
            id=names.workflow_id(identity, execution),
            task_queue=names.TASK_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            result_type=ExecutionResult,
        )

    async def run(self, event: dict[str, Any], **request: Any) -> ExecutionResult:
        """Run an event to its result."""
        handle = await self.start(event, **request)
        return await handle.result()

    async def logs(self, execution: str, timeout: float = 20) -> list[dict[str, Any]]:
        """Return the complete log of a finished execution from the gateway."""
        async with asyncio.timeout(timeout):
            return [line async for page in self.pages(execution) for line in page]

    async def pages(self, execution: str) -> AsyncIterator[list[dict[str, Any]]]:
        """Yield the log page by page until it is complete."""
        url = f"{self.gateway}/api/executions/{execution}/logs"
        upcoming = 1
        async with plain_http(headers=self.bearer, timeout=30) as http:
            while True:
                try:
                    reply = await http.get(
                        url, params={"fromSeq": upcoming, "limit": 1000}
                    )
                except httpx.TransportError:
                    # A gateway that is being started again; the caller's limit holds.
                    await asyncio.sleep(POLL_SECONDS)
                    continue
                if reply.status_code == 404:
                    await asyncio.sleep(POLL_SECONDS)
                    continue
                page = reply.raise_for_status().json()
                if page["lines"]:
                    upcoming = page["lines"][-1]["seq"] + 1
                    yield page["lines"]
                elif page["complete"]:
                    return
                else:
                    await asyncio.sleep(POLL_SECONDS)

    @property
    def bearer(self) -> dict[str, str]:
        """The header of a service that may read everything."""
        token = tokens.mint(self.secret, tokens.Scope.SERVICE, subject="tests")
        return {"Authorization": f"Bearer {token}"}


def event(script: str | None, **fields: Any) -> dict[str, Any]:
    """An event in wire form with a quick back-off and no network."""
    return {
        "id": "test",
        "name": "a test",
        "type": "bash",
        "script": script,
        "network": "none",
        "backoff": {"initialSeconds": 0.2},
        "resources": {"cpus": 1},
        **fields,
    }
