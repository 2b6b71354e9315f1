"""The parts of a worker put together, by role."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from temporalio.client import Client

from activities import (
    Admitting,
    ExecutionActivities,
    GraphActivities,
    HttpActivities,
    settle_schedule,
)
from activities.auditing import AuditWatch
from activities.watching import Watches
from contracts.events import EventRequest, EventType
from contracts.runs import Admission
from engines.channel import ChannelState, GatewayVariables
from engines.docker import check_ceilings
from engines.http import HttpEngine
from engines.secrets import SecretStore
from logstream import Relay, SpoolDirectory
from worker.codec import KeyRing
from worker.codec.guard import InlineGuard
from worker.codec.survey import wait_until_readable
from worker.compose import (
    docker_config,
    gateway_links,
    http_config,
    ingest_token,
    secret_sources,
    service_token,
)
from worker.deliveries import action_activities
from worker.gauges import GAUGE_SECONDS, Gauges
from worker.health import HealthServer, health_app
from worker.host import DockerHost
from worker.metrics import WorkerMetrics
from worker.metrics_sdk import SdkMetrics
from worker.polling import Polling
from worker.readiness import Readiness
from worker.servers import Servers, owner_of
from worker.settings import Settings
from worker.temporal import connect, register_search_attributes

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 2.0
Value = TypeVar("Value")


class WorkerApp:
    """One worker process.

    Args:
        settings: Everything an operator chose.
        sdk: The numbers of the SDK's runtime, for `/metrics`; None leaves them out.

    Raises:
        KeyFileInvalid: The file of encryption keys cannot be used.
    """

    def __init__(self, settings: Settings, sdk: SdkMetrics | None = None) -> None:
        self._settings = settings
        self._host_id = settings.resolve_host_id()
        self._spools = SpoolDirectory(
            settings.state_dir / "spool",
            max_total_bytes=settings.logs.spool_max,
            min_free_bytes=settings.logs.min_free,
        )
        url, self._logs_url = gateway_links(settings)
        self._relay = Relay(url, ingest_token(settings, self._host_id), self._spools)
        self._metrics = WorkerMetrics()
        self._metrics.slots.set(settings.docker.slots)
        self._metrics.spool_limit.set(settings.logs.spool_max)
        self.ring = KeyRing(settings.encryption.keys_file)
        self.readiness = Readiness(
            self._spools, self._relay, self.ring, self._runs_scripts
        )
        self._gauges = Gauges(self._metrics, self.readiness, sdk)
        self._watch = Watches([self._metrics.jobs, AuditWatch(self._host_id)])
        self._host: DockerHost | None = None
        self._http = HttpEngine(http_config(settings))
        self._variables = GatewayVariables(
            settings.gateway.url, service_token(settings, self._host_id)
        )

    @property
    def _runs_scripts(self) -> bool:
        return self._settings.role in ("all", "host")

    @property
    def _runs_workflows(self) -> bool:
        return self._settings.role in ("all", "workflow")

    def problems(self) -> dict[str, str]:
        """Return what keeps this worker from taking runs: part → reason."""
        return self.readiness.problems()

    async def serve(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then hand running scripts over."""
        self.readiness.said["temporal"] = "connecting"
        settings = self._settings.worker
        health = HealthServer(
            health_app(self.problems, self._metrics, self.readiness.warnings),
            settings.health_host,
            settings.health_port,
        )
        background = [
            asyncio.ensure_future(health.serve()),
            asyncio.ensure_future(self._relay.run()),
            asyncio.ensure_future(self._gauges.run()),
        ]
        try:
            await self._work(stop)
            # A gateway that is away gets the lines from the next process.
            if self._relay.connected:
                await self._relay.drained(FLUSH_SECONDS)
        finally:
            health.should_exit = True
            await asyncio.wait([background[0]], timeout=2)
            await self._variables.close()
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)

    async def _work(self, stop: asyncio.Event) -> None:
        client = await _unless(stop, self._connected)
        if client is None:
            return
        polling = Polling(client, self._settings)
        async with contextlib.AsyncExitStack() as stack:
            watching = asyncio.create_task(self.readiness.watch_temporal(client))
            stack.callback(watching.cancel)
            stack.push_async_callback(polling.stop)
            if self._runs_scripts:
                ChannelState.discard_drafts(self._settings.state_dir / "channels")
                polling.start_http([self._http_activities(client).run_http])
                actions = action_activities(self._settings, self._variables)
                polling.start_actions([actions.send_message, actions.send_callback])
                await self._open_servers(client, polling, stack)
                await self._open_host(client, polling, stack)
            # Once more, so that it comes before what the activities work with.
            stack.push_async_callback(polling.stop)
            stack.callback(self._drain)
            if self._runs_workflows:
                # What an earlier process left goes on only when workflows do.
                polling.start_workflows(await self._execution_activities(client))
            # No script is polled before the host is proved: a run that this host may
            # not take stays in the queue for one that may.
            if self._host is not None and not await _unless(stop, self._proved):
                return
            if self._host is not None:
                polling.start_scripts([self._host.activities.run_container])
            logger.info("worker %s is ready (%s)", self._host_id, self._settings.role)
            await self._until(stop, polling)

    async def _connected(self) -> Client:
        client = await connect(self._settings, ring=self.ring)
        del self.readiness.said["temporal"]
        await wait_until_readable(client, self.ring)
        return client

    async def _open_host(
        self, client: Client, polling: Polling, stack: contextlib.AsyncExitStack
    ) -> None:
        """Go on with what an earlier process left; that needs no proof."""
        host = self._host = self.readiness.host = DockerHost(
            self._settings,
            self._host_id,
            client,
            self._spools,
            self._metrics,
            self._variables,
            self._watch,
        )
        stack.push_async_callback(host.close)
        await host.hand_back()
        polling.start_host(self._host_id, [host.activities.resume_container])
        await stack.enter_async_context(host.kept_up())

    async def _open_servers(
        self, client: Client, polling: Polling, stack: contextlib.AsyncExitStack
    ) -> None:
        servers = Servers(
            self._settings,
            self._host_id,
            client,
            self._spools,
            self._metrics,
            self._variables,
            await owner_of(client, self._settings.instance),
            self._watch,
        )
        stack.push_async_callback(servers.close)
        await servers.hand_back()
        activities = servers.activities
        polling.start_servers([activities.run_ssh, activities.resume_ssh])
        await stack.enter_async_context(servers.kept_up())

    def _http_activities(self, client: Client) -> HttpActivities:
        settings = self._settings
        return HttpActivities(
            engine=self._http,
            spools=self._spools,
            secrets=SecretStore(*secret_sources(settings)),
            client=client,
            host=self._host_id,
            heartbeat_interval=settings.worker.heartbeat_interval,
            log_cap=settings.logs.cap,
            watch=self._watch,
        )

    async def _proved(self) -> bool:
        assert self._host is not None
        await self._host.prove()
        return True

    def _drain(self) -> None:
        logger.info("draining")
        self.readiness.said["worker"] = "draining"

    async def _until(self, stop: asyncio.Event, polling: Polling) -> None:
        """Return when told to; raise when Temporal's side ends by itself."""
        while not stop.is_set():
            if polling.failure is not None:
                raise polling.failure
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), GAUGE_SECONDS)

    async def _execution_activities(self, client: Client) -> list[Callable[..., Any]]:
        settings = self._settings
        ceilings = docker_config(settings, self._host_id)

        def check(request: EventRequest) -> None:
            if request.event.type is EventType.HTTP_REQUEST:
                self._http.check_ceilings(request.event)
            else:
                check_ceilings(ceilings, request.event)

        admission = Admission(
            search_attributes=await register_search_attributes(client),
            logs_url=self._logs_url,
            schedule_to_start_seconds=settings.worker.schedule_to_start,
            setup_seconds=settings.worker.setup_timeout,
            heartbeat_timeout_seconds=settings.worker.heartbeat_timeout,
            resume_window_seconds=settings.worker.resume_window,
        )
        admitting = Admitting(
            admission=admission,
            check=check,
            record=self._spools.record,
            clock=time.time,
            guard=InlineGuard(client, self.ring).check,
        )
        executions = ExecutionActivities(admitting)
        graphs = GraphActivities(admitting, self._variables, client)
        return [
            executions.admit_execution,
            executions.record_execution,
            graphs.admit_graph,
            graphs.read_variables,
            graphs.enter_gate,
            graphs.tickets_alive,
            settle_schedule,
        ]


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
