"""A local stack of its own for measuring: separate processes, as users have them."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from temporalio.client import Client, WorkflowHandle
from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import ConnectionClosedError

from contracts import names
from contracts.logs import LogLine, ViewerEnd, ViewerLines, ViewerMessage
from contracts.results import ExecutionResult
from gateway import tokens
from worker.settings import load_settings
from worker.temporal import connect

COMMAND = str(Path(sys.executable).parent / "cronium")
INSTANCE = "bench"
VIEWER = TypeAdapter[Any](ViewerMessage)


@dataclass
class Local:
    """A running stack."""

    client: Client
    gateway: str
    secret: str
    pids: dict[str, int]
    count: int = 0

    async def start(self, script: str, **event: Any) -> WorkflowHandle[Any, Any]:
        """Start a script without network under the limits of `rivals.LIMITS`."""
        self.count += 1
        execution = f"b{self.count}"
        body = {
            "executionId": execution,
            "event": {
                "id": "bench",
                "name": "bench",
                "type": "bash",
                "script": script,
                "network": "none",
                "resources": {"memoryMb": 256, "cpus": 1, "pids": 64},
                **event,
            },
        }
        return await self.client.start_workflow(
            names.EVENT_WORKFLOW,
            body,
            id=names.workflow_id("bench", execution),
            task_queue=names.TASK_QUEUE,
            result_type=ExecutionResult,
        )

    async def lines(self, handle: WorkflowHandle[Any, Any]) -> AsyncIterator[LogLine]:
        """Yield the lines of a run as a viewer gets them."""
        async for batch in self.batches(handle):
            for line in batch:
                yield line

    async def batches(
        self, handle: WorkflowHandle[Any, Any]
    ) -> AsyncIterator[list[LogLine]]:
        """Yield the messages of a run as a viewer gets them."""
        execution = names.execution_of(handle.id) or ""
        token = tokens.mint(self.secret, tokens.Scope.EXECUTION, subject=execution)
        url = self.gateway.replace("http", "ws", 1) + f"/executions/{execution}/logs"
        headers = {"Authorization": f"Bearer {token}"}
        upcoming = 1
        # A reader that did not keep up is cut off, and goes on where it was.
        while True:
            async with open_websocket(
                f"{url}?fromSeq={upcoming}",
                additional_headers=headers,
                max_size=None,
                compression=None,
                proxy=None,
            ) as viewer:
                with contextlib.suppress(ConnectionClosedError):
                    async for message in viewer:
                        found = VIEWER.validate_json(message)
                        if isinstance(found, ViewerLines):
                            upcoming = found.lines[-1].seq + 1
                            yield found.lines
                        elif isinstance(found, ViewerEnd):
                            return

    def memory_mb(self, part: str) -> float:
        """Return the most memory a process of the stack has used so far, in MB."""
        text = Path(f"/proc/{self.pids[part]}/status").read_text()
        peak = next(line for line in text.splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) / 1024


@contextlib.asynccontextmanager
async def running(**settings: str) -> AsyncIterator[Local]:
    """Start a stack in a directory of its own, and stop it.

    Args:
        settings: More `CRONIUM_*` variables, without the prefix.
    """
    with tempfile.TemporaryDirectory(prefix="cronium-bench-") as directory:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("CRONIUM_")}
        environment = {
            **kept,
            "CRONIUM_STATE_DIR": directory,
            "CRONIUM_INSTANCE": INSTANCE,
            "CRONIUM_LOGS_CAP": "512MB",
            "CRONIUM_DOCKER_MAX_CPUS": "2",
            **{f"CRONIUM_{name}": value for name, value in settings.items()},
        }
        await _command(environment, "dev", "--background")
        try:
            record = json.loads((Path(directory) / "dev.json").read_text())
            settings = load_settings(state_dir=Path(directory))
            secret = tokens.load_or_create_secret(Path(directory) / "gateway.secret")
            client = await connect(settings, address=record["temporal"])
            yield Local(client, record["gateway"], secret, record["parts"])
        finally:
            await _command(environment, "down")


async def _command(environment: dict[str, str], *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        COMMAND, *arguments, env=environment, stderr=subprocess.PIPE
    )
    _, errors = await process.communicate()
    if process.returncode:
        raise SystemExit(f"cronium {arguments[0]} failed:\n{errors.decode()}")
