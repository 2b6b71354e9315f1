"""The parts of a worker put together, by role."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from temporalio.client import Client
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import (
    SandboxedWorkflowRunner,
    SandboxRestrictions,
)

from activities import ContainerActivities, ExecutionActivities
from contracts.errors import CroniumError
from contracts.events import EventRequest
from contracts.runs import Admission
from engines.docker import DockerEngine
from engines.docker.janitor import Janitor
from engines.docker.proof import prove_or_explain
from engines.secrets import SecretStore
from logstream import Relay, SpoolDirectory
from worker.compose import docker_config, gateway_links, ingest_token, secret_sources
from worker.health import HealthServer, health_app
from worker.metrics import WorkerMetrics
from worker.settings import Settings
from worker.temporal import connect, register_search_attributes
from workflows import EventWorkflow

logger = logging.getLogger(__name__)

# Between two attempts to prove a host that could not be proved.
PROOF_RETRY_SECONDS = 5.0
GAUGE_SECONDS = 1.0
FLUSH_SECONDS = 5.0
Value = TypeVar("Value")
STARTING = "the proof of the host's limits is under way"


class WorkerApp:
    """One worker process.

    Args:
        settings: Everything an operator chose.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._host = settings.resolve_host_id()
        self._engine = DockerEngine(docker_config(settings, self._host))
        self._spools = SpoolDirectory(
            settings.state_dir / "spool", max_total_bytes=settings.logs.spool_max
        )
        url, self._logs_url = gateway_links(settings)
        self._relay = Relay(url, ingest_token(settings, self._host), self._spools)
        self._metrics = WorkerMetrics()
        self._metrics.slots.set(settings.docker.slots)
        self._problems: dict[str, str] = {}
        if self._runs_scripts:
            self._problems["docker"] = STARTING
        self._activities: ContainerActivities | None = None

    @property
    def _runs_scripts(self) -> bool:
        return self._settings.role in ("all", "host")

    @property
    def _runs_workflows(self) -> bool:
        return self._settings.role in ("all", "workflow")

    def problems(self) -> dict[str, str]:
        """Return what keeps this worker from taking runs: part → reason."""
        found = dict(self._problems)
        if self._spools.full:
            found["spool"] = "the log spool is full: free disk or start the gateway"
        return found

    async def serve(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then drain."""
        self._problems["temporal"] = "connecting"
        settings = self._settings.worker
        health = HealthServer(
            health_app(self.problems, self._metrics),
            settings.health_host,
            settings.health_port,
        )
        background = [
            asyncio.ensure_future(health.serve()),
            asyncio.ensure_future(self._relay.run()),
            asyncio.ensure_future(self._gauges()),
        ]
        try:
            await self._work(stop)
            await self._relay.drained(FLUSH_SECONDS)
        finally:
            health.should_exit = True
            await asyncio.wait([background[0]], timeout=2)
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            self._engine.close()

    async def _work(self, stop: asyncio.Event) -> None:
        client = await _unless(stop, lambda: connect(self._settings))
        if client is None:
            return
        attributes = self._runs_workflows and await register_search_attributes(client)
        workers = self._workers(client, attributes)
        del self._problems["temporal"]
        upkeep: list[asyncio.Future[Any]] = []
        if self._runs_scripts:
            # Nothing is polled before the host is proved: a run that this host may
            # not take stays in the queue for one that may.
            if await _unless(stop, self._proved) is None:
                return
            upkeep.append(asyncio.ensure_future(self._keep_clean()))
        async with contextlib.AsyncExitStack() as stack:
            for worker in workers:
                await stack.enter_async_context(worker)
            logger.info("worker %s is ready (%s)", self._host, self._settings.role)
            await stop.wait()
            logger.info("draining")
            self._problems["worker"] = "draining"
        for task in upkeep:
            task.cancel()

    def _workers(self, client: Client, attributes: bool) -> list[Worker]:
        settings = self._settings
        options: dict[str, Any] = {"workflows": [], "activities": []}
        if self._runs_workflows:
            executions = self._execution_activities(attributes)
            options["workflows"] = [EventWorkflow]
            options["activities"] += [
                executions.admit_execution,
                executions.record_execution,
            ]
        if self._runs_scripts:
            self._activities = self._container_activities(client)
            options["activities"].append(self._activities.run_container)
            options["max_concurrent_activities"] = settings.docker.slots
        if not options["workflows"] and not options["activities"]:
            return []
        return [
            Worker(
                client,
                task_queue=settings.temporal.task_queue,
                # A workflow worker has local activities alone: it must not take a
                # script that only a host can run.
                no_remote_activities=not self._runs_scripts,
                graceful_shutdown_timeout=timedelta(
                    seconds=settings.worker.drain_timeout
                ),
                max_heartbeat_throttle_interval=timedelta(
                    seconds=settings.worker.heartbeat_interval
                ),
                workflow_runner=SandboxedWorkflowRunner(
                    restrictions=SandboxRestrictions.default.with_passthrough_modules(
                        "contracts"
                    )
                ),
                **options,
            )
        ]

    def _execution_activities(self, attributes: bool) -> ExecutionActivities:
        settings = self._settings

        def check(request: EventRequest) -> None:
            self._engine.check_ceilings(request.event)

        return ExecutionActivities(
            admission=Admission(
                search_attributes=attributes,
                logs_url=self._logs_url,
                schedule_to_start_seconds=settings.worker.schedule_to_start,
                setup_seconds=settings.worker.setup_timeout,
                heartbeat_timeout_seconds=settings.worker.heartbeat_timeout,
            ),
            check=check,
            record=self._spools.record,
            clock=time.time,
        )

    def _container_activities(self, client: Client) -> ContainerActivities:
        settings = self._settings
        environment, allowed, directory = secret_sources(settings)
        return ContainerActivities(
            engine=self._engine,
            spools=self._spools,
            secrets=SecretStore(environment, allowed, directory),
            client=client,
            host=self._host,
            heartbeat_interval=settings.worker.heartbeat_interval,
            log_cap=settings.logs.cap,
            not_ready=lambda: self._problems.get("docker"),
            observe=self._metrics.observe,
        )

    async def _proved(self) -> bool:
        while True:
            problem = await prove_or_explain(self._engine)
            if problem is None:
                self._problems.pop("docker", None)
                return True
            if self._problems.get("docker") != problem:
                logger.error("%s", problem)
            self._problems["docker"] = problem
            await asyncio.sleep(PROOF_RETRY_SECONDS)

    async def _keep_clean(self) -> None:
        assert self._activities is not None
        janitor = Janitor(self._engine, self._activities.claimed)
        while True:
            try:
                await janitor.sweep()
                await self._engine.version()
                self._problems.pop("docker", None)
            except CroniumError as error:
                self._problems["docker"] = str(error)
                self._engine.network.forget()
                logger.warning("%s", error)
            await asyncio.sleep(self._settings.docker.janitor_interval)

    async def _gauges(self) -> None:
        while True:
            active = self._activities.active if self._activities else ()
            self._metrics.active.set(len(active))
            self._metrics.spool.set(self._spools.bytes_used)
            self._metrics.relay.set(self._relay.connected)
            await asyncio.sleep(GAUGE_SECONDS)


async def _unless(
    stop: asyncio.Event, start: Callable[[], Awaitable[Value]]
) -> Value | None:
    """Return what `start` gives, or None when `stop` is set first."""
    working = asyncio.ensure_future(start())
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if working.done():
        return working.result()
    working.cancel()
    await asyncio.wait([working])
    return None


def quiet_runtime() -> None:
    """Send the SDK core's own log through Python's, and only what matters."""
    Runtime.set_default(
        Runtime(
            telemetry=TelemetryConfig(
                logging=LoggingConfig(
                    filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
                    forwarding=LogForwardingConfig(logging.getLogger("temporal")),
                )
            )
        )
    )
