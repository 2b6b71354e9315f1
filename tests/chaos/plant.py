"""A plant: Temporal, gateway and workers as processes, with wires that can be cut."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import docker
import httpx
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from cli.supervisor import temporal_command
from contracts import names
from contracts.results import ExecutionResult
from gateway import tokens
from tests.caller import Caller, event, plain_http
from tests.chaos.processes import Part, answers, clean_environment, listens, ours
from tests.chaos.scripts import Numbered
from tests.chaos.watch import ContainerWatch
from tests.chaos.wire import Wire, until
from tests.conftest import new_instance, pick_port
from tests.remains import remove_remains
from worker.settings import load_settings
from worker.temporal import connect

DOCKER_SOCKET = "/var/run/docker.sock"
HEARTBEAT_TIMEOUT = 3.0
RESUME_WINDOW = 60.0
JANITOR_INTERVAL = 2.0
# So long one call to Temporal may wait for a result, so that an outage is noticed.
ASK_SECONDS = 10.0
# So long a result may take; far more than any script here runs.
PATIENCE = 60.0


@dataclass
class Run:
    """A run under way, and what its script writes."""

    handle: WorkflowHandle[Any, ExecutionResult]
    script: Numbered
    execution: str = field(init=False)

    def __post_init__(self) -> None:
        self.execution = names.execution_of(self.handle.id) or ""


class Plant:
    """Everything that a product on one machine consists of.

    Args:
        directory: State, logs and database of all parts.
        socket: The Docker daemon's.
        wired: Whether wires lie between the worker and its two servers.
        variables: Variables of gateway and workers that are not ours.
        settings: More `CRONIUM_*` variables of every worker, without the prefix.
    """

    caller: Caller
    watch: ContainerWatch

    def __init__(
        self,
        directory: Path,
        *,
        socket: str = DOCKER_SOCKET,
        wired: bool = True,
        variables: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        self.directory = directory
        self.instance = new_instance("chaos")
        self.socket = socket
        self.settings = settings
        self._variables = dict(variables or {})
        self.state = directory / "state"
        self.state.mkdir(parents=True)
        port, ui, gateway = pick_port(), pick_port(), pick_port()
        self.address = f"127.0.0.1:{port}"
        self.ui = f"http://127.0.0.1:{ui}"
        self.gateway_url = f"http://127.0.0.1:{gateway}"
        self.to_temporal = Wire(port)
        self.to_gateway = Wire(gateway)
        self.wired = wired
        self.temporal = Part(
            "temporal",
            temporal_command(directory, port, ui),
            clean_environment(),
            directory / "temporal.log",
            listens(port),
        )
        self.gateway = Part(
            "gateway",
            ours("gateway"),
            self._environment(self.state, GATEWAY_PORT=str(gateway)),
            directory / "gateway.log",
            answers(f"{self.gateway_url}/ready"),
        )
        self.litter: frozenset[str] = frozenset()
        """What an earlier test left: told there, and not again by each one after."""
        self.workers: dict[str, Part] = {}
        self.health: dict[str, str] = {}
        self.worker = self.add_worker("worker")

    def replace_worker(self, state: Path | None = None, **more: Any) -> None:
        """Make the first worker another one, before anything is started."""
        self.worker = self.add_worker("worker", state, **more)

    def add_worker(self, name: str, state: Path | None = None, **more: Any) -> Part:
        """Return a further worker, not yet started.

        Args:
            name: What messages call it.
            state: Its state directory; None is the one of the first worker.
            more: Its own `CRONIUM_*` variables, without the prefix.
        """
        health = pick_port()
        url = f"http://127.0.0.1:{health}"
        settings = {
            "WORKER_HEALTH_PORT": health,
            "WORKER_HEARTBEAT_TIMEOUT": f"{HEARTBEAT_TIMEOUT}s",
            "WORKER_HEARTBEAT_INTERVAL": "500ms",
            "WORKER_DRAIN_TIMEOUT": "3s",
            "WORKER_RESUME_WINDOW": f"{RESUME_WINDOW}s",
            "DOCKER_JANITOR_INTERVAL": f"{JANITOR_INTERVAL}s",
            "DOCKER_SLOTS": 20,
            # One container for one start of a script, so that they can be counted.
            "DOCKER_WARM": 0,
            "DOCKER_SOCKET": self.socket,
            **self.settings,
            **more,
        }
        part = Part(
            name,
            ours("worker"),
            self._environment(state or self.state, **settings),
            self.directory / f"{name}.log",
            # A standby waits without answering: its readiness is asked for by itself.
            answers(f"{url}/ready"),
        )
        self.workers[name] = part
        self.health[name] = url
        return part

    @property
    def run_dir(self) -> Path:
        """Where the first worker keeps the files of its runs."""
        return Path(self.settings.get("DOCKER_RUN_DIR", self.state / "run"))

    @property
    def parts(self) -> list[Part]:
        """All processes, in the order they are started."""
        return [self.temporal, self.gateway, *self.workers.values()]

    async def start(self) -> None:
        """Start the servers and the first worker."""
        await self.to_temporal.start()
        await self.to_gateway.start()
        self.watch = ContainerWatch(self.socket, self.instance)
        await asyncio.gather(
            self.watch.start(), self.temporal.start(), self.gateway.start()
        )
        self.caller = Caller(await self.connect(), self.gateway_url, self._secret())
        await self.worker.start()

    async def connect(self) -> Client:
        """Return a client that goes to Temporal without a wire."""
        settings = load_settings(state_dir=self.state)
        return await connect(settings, address=self.address)

    async def stop(self) -> None:
        """Stop all, and remove what is left."""
        for wire in (self.to_temporal, self.to_gateway):
            wire.heal()
        for part in reversed(self.parts):
            await part.stop()
        for wire in (self.to_temporal, self.to_gateway):
            await wire.close()
        if hasattr(self, "watch"):
            await self.watch.close()
        # Workers that a test added have instances whose names begin with this one.
        await asyncio.to_thread(remove_remains, self.instance, self.socket)

    async def mend(self) -> None:
        """Bring everything back to work, whatever the test before did."""
        for wire in (self.to_temporal, self.to_gateway):
            wire.heal()
        for name, part in list(self.workers.items()):
            if part is not self.worker:
                await part.stop()
                del self.workers[name], self.health[name]
        for part in (self.temporal, self.gateway, self.worker):
            await part.mend()

    async def begin(self, script: Numbered, **fields: Any) -> Run:
        """Start a script that writes numbered lines."""
        fields.setdefault("timeoutSeconds", 600)
        body = event(script.text, **fields)
        return Run(await self.caller.start(body), script)

    async def asked(self, path: str, worker: str = "worker") -> httpx.Response:
        """Ask a worker's health port."""
        async with plain_http(timeout=10) as http:
            return await http.get(self.health[worker] + path)

    async def not_ready(self, part: str, seconds: float = 20) -> str:
        """Wait until a part keeps the worker from taking runs; return the reason.

        The process itself must answer all along.
        """
        async with asyncio.timeout(seconds):
            while True:
                assert (await self.asked("/live")).status_code == 200
                assert (await self.asked("/metrics")).status_code == 200
                ready = await self.asked("/ready")
                if ready.status_code == 503 and part in ready.json()["problems"]:
                    return str(ready.json()["problems"][part])
                await asyncio.sleep(0.05)

    async def running(self, run: Run, lines: int = 3) -> None:
        """Return when a container of the run has printed some lines."""
        await self.watch.saw("start", run.execution)
        container = self.watch.of(run.execution, "start")[-1].container
        client = docker.APIClient(base_url=f"unix://{self.socket}", version="auto")
        try:

            def enough() -> bool:
                output: bytes = client.logs(container, stdout=True, stderr=False)
                return output.count(b"\n") >= lines

            await until(enough, 30, f"{lines} lines of {run.execution}")
        finally:
            client.close()

    async def result(self, run: Run, seconds: float = PATIENCE) -> ExecutionResult:
        """Return the result, over any number of Temporal's lives.

        Raises:
            AssertionError: There is none in time; with what is known of the run.
        """
        try:
            async with asyncio.timeout(seconds):
                while True:
                    try:
                        return await run.handle.result(
                            rpc_timeout=timedelta(seconds=ASK_SECONDS)
                        )
                    except RPCError:
                        await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(
                f"no result within {seconds:g} s\n{await self.evidence(run.execution)}"
            ) from None

    async def evidence(self, execution: str) -> str:
        """Return what a reader needs to understand a run that went wrong."""
        identity = names.workflow_id("test", execution)
        tail = "(the gateway gives no log)"
        lines: list[str] = []
        try:
            async with asyncio.timeout(3):
                async for page in self.caller.pages(execution):
                    lines += [
                        f"{line['seq']} try {line['attempt']}.{line.get('dispatch', 1)}"
                        f" {line['stream']} {line['streamSeq']}: {line['text'][:120]}"
                        for line in page
                    ]
        except (TimeoutError, OSError):
            pass
        tail = "\n".join(lines[-20:]) or tail
        events = "\n".join(
            f"{e.at:.3f} {e.action} {e.container[:12]} {e.exit_code or ''}"
            for e in self.watch.events
            if e.execution == execution
        )
        parts = "\n\n".join(
            f"--- {part.name} ({'runs' if part.running else 'is down'})\n"
            f"{part.last_lines()}"
            for part in self.parts
        )
        return (
            f"run {execution}: while the plant runs see {self.ui}/namespaces/default/"
            f"workflows/{identity} or\n"
            f"  temporal workflow show --address {self.address} -w {identity}\n"
            f"afterwards: temporal server start-dev "
            f"--db-filename {self.directory}/temporal.db\n"
            f"--- containers\n{events}\n--- log of the run\n{tail}\n\n{parts}"
        )

    def _environment(self, state: Path, **settings: Any) -> dict[str, str]:
        port = self.to_temporal.port if self.wired else self.to_temporal.target
        address = f"127.0.0.1:{port}"
        port = self.to_gateway.port if self.wired else self.to_gateway.target
        own = {
            "STATE_DIR": state,
            "INSTANCE": self.instance,
            "TEMPORAL_ADDRESS": address,
            "GATEWAY_URL": f"http://127.0.0.1:{port}",
            "GATEWAY_SECRET_FILE": self.state / "gateway.secret",
            "DOCKER_RUN_DIR": state / "run",
            "LOG_FORMAT": "console",
            **settings,
        }
        named = {f"CRONIUM_{name}": str(value) for name, value in own.items()}
        return clean_environment(**named, **self._variables)

    def _secret(self) -> str:
        return tokens.load_or_create_secret(self.state / "gateway.secret")
