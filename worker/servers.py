"""The servers that a worker reaches over SSH: activities and upkeep."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from activities import Claims, Ledger, ServerSessions, SshActivities
from activities.watching import Watch
from contracts import names
from engines.channel import ChannelServer, ChannelState, GatewayVariables
from engines.secrets import SecretStore
from engines.ssh import ServerJanitor, SshEngine
from logstream import SpoolDirectory
from worker.compose import secret_sources, ssh_config
from worker.deliveries import tool_actions
from worker.metrics import WorkerMetrics
from worker.settings import Settings
from worker.tracing import traced
from worker.upkeep import logged

logger = logging.getLogger(__name__)


GAUGE_SECONDS = 1.0


async def owner_of(client: Client, instance: str) -> str:
    """Return whose the runs on servers are: instance and Temporal namespace.

    Two installations may share a server and be called the same. Each asks a Temporal of
    its own whether a run is wanted, so none may ask about the other's.
    """
    try:
        answer = await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=client.namespace)
        )
        return f"{instance} {answer.namespace_info.id}"
    except RPCError:
        # Not everybody may look; then the names must do.
        address = client.service_client.config.target_host
        return f"{instance} {client.namespace}@{address}"


class Servers:
    """Everything of a worker that runs scripts on servers.

    Args:
        settings: Everything an operator chose.
        host: Id of this host.
        client: Temporal.
        spools: Where log lines wait for the gateway.
        metrics: What is counted.
        variables: The variables of all users.
        owner: Whose the runs on servers are; see `owner_of`.
        watch: Told what happens to each try.
    """

    def __init__(
        self,
        settings: Settings,
        host: str,
        client: Client,
        spools: SpoolDirectory,
        metrics: WorkerMetrics,
        variables: GatewayVariables,
        owner: str,
        watch: Watch,
    ) -> None:
        secrets = SecretStore(*secret_sources(settings))
        self._interval = settings.docker.janitor_interval
        self._engine = SshEngine(ssh_config(settings, owner), secrets)
        self._metrics = metrics
        self._channels = ChannelServer(
            variables, traced(metrics.helpers, settings.tracing.endpoint)
        )
        states = settings.state_dir / "channels"
        ledger = Ledger(settings.state_dir / "server-runs")
        self.activities = SshActivities(
            sessions=ServerSessions(
                engine=self._engine,
                spools=spools,
                secrets=secrets,
                host=host,
                log_cap=settings.logs.cap,
                channels=self._channels,
                states=states,
                window=settings.ssh.outage_window + settings.worker.resume_window,
                tool_action=tool_actions(settings).execute,
                sockets=settings.state_dir / "sockets",
            ),
            ledger=ledger,
            client=client,
            heartbeat_interval=settings.worker.heartbeat_interval,
            watch=watch,
        )

        def forget(run_key: str) -> None:
            ChannelState.remove(states / f"{run_key}.json")
            spools.give_up(run_key)
            self.activities.sessions.forget(run_key)

        async def unknown(_: str) -> None:
            # What is on a server outlives this host's interest in it.
            return None

        self._claims = Claims(client, ledger, unknown, host, forget)
        self._janitor = self._engine.upkeep = ServerJanitor(
            self._engine.place,
            self.activities.known,
            self._claims.wanted,
            self._interval,
        )

    async def hand_back(self) -> None:
        """Tell Temporal of the runs that an earlier process left behind."""
        await self._claims.hand_back()

    @contextlib.asynccontextmanager
    async def kept_up(self) -> AsyncIterator[None]:
        """Stop what nobody wants any more while in the block."""
        tasks = [
            asyncio.create_task(self._keep_clean()),
            asyncio.create_task(self._sweep()),
            asyncio.create_task(self._show()),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        """Let go of the servers; scripts that run there go on."""
        await self._channels.close_all()
        await self._engine.close()

    async def _keep_clean(self) -> None:
        while True:
            await logged(self._stop_orphans)
            await logged(lambda: self._claims.forget_settled(self.activities.known))
            await asyncio.sleep(self._interval)

    async def _sweep(self) -> None:
        # By itself: a server that hangs must not hold up the rest.
        while True:
            await asyncio.sleep(self._interval)
            await logged(self._janitor.sweep)

    async def _show(self) -> None:
        pool = self._engine.pool
        while True:
            self._metrics.observe_servers(
                self._engine.breakers(), pool.connections(), self._janitor.due
            )
            await asyncio.sleep(GAUGE_SECONDS)

    async def _stop_orphans(self) -> None:
        for key in self.activities.known() - self.activities.claimed():
            if not await self._claims.wanted({names.LABEL_RUN_KEY: key}):
                self.activities.stop_orphan(key)
