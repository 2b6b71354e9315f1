"""The whole product on free ports: Temporal, gateway and worker, all real."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import httpx
from temporalio.client import Client, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.testing import WorkflowEnvironment

from contracts import names
from contracts.events import EventRequest
from contracts.results import ExecutionResult
from gateway import server, tokens
from gateway.config import GatewayConfig
from tests.conftest import pick_port
from worker.app import WorkerApp
from worker.compose import gateway_secret
from worker.settings import Settings, load_settings
from worker.temporal import connect

DEV_SERVER = [
    "--dynamic-config-value",
    "system.forceSearchAttributesCacheRefreshOnRead=true",
    "--dynamic-config-value",
    "frontend.WorkerCommandsEnabled=true",
    "--dynamic-config-value",
    "system.enableCancelActivityWorkerCommand=true",
]


@dataclass
class Stack:
    """A running product."""

    client: Client
    settings: Settings
    app: WorkerApp
    docker: docker.APIClient

    async def start(self, event: dict[str, Any], **request: Any) -> WorkflowHandle:
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
        token = tokens.mint(
            gateway_secret(self.settings), tokens.Scope.SERVICE, subject="tests"
        )
        url = f"{self.settings.gateway.url}/api/executions/{execution}/logs"
        headers = {"Authorization": f"Bearer {token}"}
        upcoming = 1
        async with httpx.AsyncClient(headers=headers, timeout=30) as http:
            while True:
                reply = await http.get(url, params={"fromSeq": upcoming, "limit": 1000})
                if reply.status_code == 404:
                    await asyncio.sleep(0.05)
                    continue
                page = reply.raise_for_status().json()
                if page["lines"]:
                    upcoming = page["lines"][-1]["seq"] + 1
                    yield page["lines"]
                elif page["complete"]:
                    return
                else:
                    await asyncio.sleep(0.05)

    def containers(self, execution: str) -> list[dict[str, Any]]:
        """Return the containers of an execution that exist now."""
        found: list[dict[str, Any]] = self.docker.containers(
            all=True, filters={"label": f"{names.LABEL_EXECUTION}={execution}"}
        )
        return found


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


@contextlib.asynccontextmanager
async def running_stack(
    directory: Path,
    binary: str,
    docker_client: docker.APIClient,
    env: WorkflowEnvironment | None = None,
    **docker_settings: Any,
) -> AsyncIterator[Stack]:
    """Start everything, and stop it in order."""
    instance = "test-" + secrets.token_hex(4)
    async with contextlib.AsyncExitStack() as stack:
        if env is None:
            env = await stack.enter_async_context(
                await WorkflowEnvironment.start_local(
                    dev_server_existing_path=binary,
                    dev_server_extra_args=DEV_SERVER,
                )
            )
        address = env.client.service_client.config.target_host
        port = pick_port()
        (directory / "secrets").mkdir()
        settings = load_settings(
            state_dir=directory,
            instance=instance,
            temporal={"address": address},
            gateway={"url": f"http://127.0.0.1:{port}", "port": port},
            docker={"run_dir": directory / "run", "slots": 6, **docker_settings},
            worker={"health_port": pick_port(), "drain_timeout": 2},
            secrets={"directory": directory / "secrets"},
            http={"allowed_hosts": ["127.0.0.1"]},
        )
        config = GatewayConfig(
            database_url=f"sqlite+aiosqlite:///{directory}/gateway.db",
            secret=gateway_secret(settings),
            port=port,
        )
        started = asyncio.Event()
        serving = asyncio.ensure_future(server.serve(config, started=started))
        await asyncio.wait_for(started.wait(), 30)
        stop = asyncio.Event()
        app = WorkerApp(settings)
        working = asyncio.ensure_future(app.serve(stop))
        try:
            await _ready(app, working)
            client = await connect(settings)
            yield Stack(client, settings, app, docker_client)
        finally:
            stop.set()
            await asyncio.wait_for(working, 60)
            serving.cancel()
            await asyncio.wait([serving], timeout=20)
            await _clean(docker_client, instance)


async def _ready(app: WorkerApp, working: asyncio.Future[None]) -> None:
    async with asyncio.timeout(90):
        while app.problems():
            if working.done():
                working.result()
            await asyncio.sleep(0.05)


async def _clean(client: docker.APIClient, instance: str) -> None:
    filters = {"label": f"{names.LABEL_INSTANCE}={instance}"}
    for container in client.containers(all=True, filters=filters):
        client.remove_container(container["Id"], force=True)
    for network in client.networks(filters=filters):
        client.remove_network(network["Id"])


def request_of(**fields: Any) -> EventRequest:
    """A whole request from an event's fields."""
    return EventRequest.model_validate({"executionId": "x1", "event": event(**fields)})
