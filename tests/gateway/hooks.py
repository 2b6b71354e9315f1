"""A hook as its owner and its senders use it, and the Temporal server behind it."""

import asyncio
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
from temporalio.client import Client, WorkflowHandle

from contracts.events import EventRequest
from gateway.tokens import Scope
from tests.gateway.conftest import PATIENCE, Gateway
from worker.temporal import data_converter

EVENT = {"id": "deploy", "name": "Deploy", "type": "bash", "script": "echo hi"}


def hook_spec(identifier: str = "h1", event: str | None = "deploy", **more: Any) -> Any:
    """Return a hook as it is sent to the gateway."""
    started = {"event": EVENT | {"id": event}} if event else {}
    return {"id": identifier, "user": "ann", **started} | more


GRAPH = {
    "id": "release",
    "name": "Release",
    "nodes": [
        {"id": "build", "event": EVENT},
        {"id": "ship", "event": EVENT},
    ],
    "edges": [{"from": "build", "to": "ship"}],
}


def sign(secret: str, at: int, body: bytes) -> str:
    """Sign as the documentation says, without the code under test."""
    signed = f"{at}.".encode() + body
    return "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def github(secret: str, body: bytes) -> dict[str, str]:
    """Return the header that GitHub sends."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={digest}"}


@dataclass
class Sender:
    """Knows a hook's address and secret."""

    gateway: Gateway
    path: str
    secret: str
    headers: dict[str, str] = field(default_factory=dict)

    def signed(self, body: bytes, at: int | None = None) -> dict[str, str]:
        at = int(time.time()) if at is None else at
        return {
            "X-Cronium-Timestamp": str(at),
            "X-Cronium-Signature": sign(self.secret, at, body),
            "Content-Type": "application/json",
        }

    async def send(
        self, body: bytes, headers: dict[str, str] | None = None, **more: str
    ) -> httpx.Response:
        """POST a body; `headers` replace the signed ones, `more` adds to them."""
        chosen = self.signed(body) if headers is None else headers
        chosen = {**chosen, **{k.replace("_", "-"): v for k, v in more.items()}}
        async with self.gateway.http(headers=self.headers) as client:
            return await client.post(self.path, content=body, headers=chosen)

    async def call(self, value: Any, **more: str) -> httpx.Response:
        """POST a value as JSON, signed."""
        return await self.send(json.dumps(value).encode(), **more)


async def manage(
    gateway: Gateway,
    method: str,
    path: str = "",
    scope: Scope = Scope.SERVICE,
    **o: Any,
) -> httpx.Response:
    """Call the API of hooks."""
    async with gateway.http(headers=gateway.headers(scope)) as client:
        return await client.request(method, f"/api/hooks{path}", **o)


async def new_hook(gateway: Gateway, identifier: str = "h1", **more: Any) -> Sender:
    """Make a hook; return its sender."""
    answer = await manage(gateway, "POST", json=hook_spec(identifier, **more))
    assert answer.status_code == 201, answer.text
    made = answer.json()
    path = made["url"].removeprefix(gateway.config.public_url)
    return Sender(gateway, path, made["secret"])


async def started(client: Client, answer: httpx.Response) -> EventRequest:
    """Return what Temporal was asked to start."""
    request = await asked(client, answer.json()["workflowId"])
    assert isinstance(request, EventRequest)
    return request


async def asked(client: Client, workflow: str, model: type[Any] = EventRequest) -> Any:
    """Return the argument that a workflow was started with."""
    handle: WorkflowHandle[Any, Any] = client.get_workflow_handle(workflow)
    first = (await handle.fetch_history()).events[0]
    payloads = first.workflow_execution_started_event_attributes.input.payloads
    (request,) = await data_converter.decode(payloads, [model])
    assert isinstance(request, model)
    return request


async def runs(client: Client, event: str, expected: int) -> int:
    """Return how many executions of an event there are, once the expected are seen."""
    query = f"WorkflowId STARTS_WITH 'event:{event}:'"
    async with asyncio.timeout(PATIENCE):
        while (await client.count_workflows(query)).count < expected:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return (await client.count_workflows(query)).count


def error_of(answer: httpx.Response) -> tuple[int, str]:
    """Return status and type of a refusal; each has a message and a hint."""
    error = answer.json()["error"]
    assert error["message"], answer.text
    assert error["hint"], answer.text
    return answer.status_code, error["type"]
