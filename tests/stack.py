"""The whole product on free ports: Temporal, gateway and worker, all real."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from temporalio.testing import WorkflowEnvironment

from contracts.events import EventRequest
from gateway import server
from gateway.config import GatewayConfig
from tests.caller import Caller, event
from tests.conftest import new_instance, pick_port
from tests.containers import containers_of
from tests.remains import remove_remains
from worker.app import WorkerApp
from worker.compose import gateway_secret
from worker.settings import Settings, load_settings
from worker.temporal import connect

__all__ = ["Stack", "event", "request_of", "running_stack"]

DEV_SERVER = [
    "--dynamic-config-value",
    "system.forceSearchAttributesCacheRefreshOnRead=true",
    "--dynamic-config-value",
    "frontend.WorkerCommandsEnabled=true",
    "--dynamic-config-value",
    "system.enableCancelActivityWorkerCommand=true",
]


@dataclass
class Stack(Caller):
    """A running product."""

    settings: Settings
    app: WorkerApp
    docker: docker.APIClient

    def containers(self, execution: str) -> list[dict[str, Any]]:
        """Return the containers of an execution that exist now."""
        return containers_of(self.docker, self.settings.docker.run_dir, execution)

    async def gone(self, execution: str, seconds: float = 5) -> bool:
        """Whether the containers of an execution that ended by itself go away.

        They are removed beside the result; those of a stopped one before it.
        """
        deadline = time.monotonic() + seconds
        while self.containers(execution):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.02)
        return True


@contextlib.asynccontextmanager
async def running_stack(
    directory: Path,
    binary: str,
    docker_client: docker.APIClient,
    env: WorkflowEnvironment | None = None,
    more: Mapping[str, Any] | None = None,
    **docker_settings: Any,
) -> AsyncIterator[Stack]:
    """Start everything, and stop it in order; `more` are settings of other groups."""
    instance = new_instance()
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
            notify={"slack_secret": "SLACK"},
            **(more or {}),
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
            yield Stack(
                client,
                settings.gateway.url,
                config.secret,
                settings,
                app,
                docker_client,
            )
        finally:
            stop.set()
            try:
                await asyncio.wait_for(working, 60)
            finally:
                serving.cancel()
                await asyncio.wait([serving], timeout=20)
                await asyncio.to_thread(remove_remains, instance)


async def _ready(app: WorkerApp, working: asyncio.Future[None]) -> None:
    async with asyncio.timeout(90):
        while app.problems():
            if working.done():
                working.result()
            await asyncio.sleep(0.05)


def request_of(**fields: Any) -> EventRequest:
    """A whole request from an event's fields."""
    return EventRequest.model_validate({"executionId": "x1", "event": event(**fields)})
