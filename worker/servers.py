"""The servers that a worker reaches over SSH: activities and upkeep."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from temporalio.client import Client

from activities import Claims, Ledger, ServerSessions, SshActivities
from contracts import names
from engines.channel import ChannelServer, ChannelState, GatewayVariables
from engines.secrets import SecretStore
from engines.ssh import SshEngine
from logstream import SpoolDirectory
from worker.compose import secret_sources, ssh_config
from worker.deliveries import tool_actions
from worker.metrics import WorkerMetrics
from worker.settings import Settings
from worker.upkeep import logged

logger = logging.getLogger(__name__)


class Servers:
    """Everything of a worker that runs scripts on servers.

    Args:
        settings: Everything an operator chose.
        host: Id of this host.
        client: Temporal.
        spools: Where log lines wait for the gateway.
        metrics: What is counted.
        variables: The variables of all users.
    """

    def __init__(
        self,
        settings: Settings,
        host: str,
        client: Client,
        spools: SpoolDirectory,
        metrics: WorkerMetrics,
        variables: GatewayVariables,
    ) -> None:
        secrets = SecretStore(*secret_sources(settings))
        self._interval = settings.docker.janitor_interval
        self._engine = SshEngine(ssh_config(settings), secrets)
        self._channels = ChannelServer(variables)
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
                tool_action=tool_actions(settings).execute,
                sockets=settings.state_dir / "sockets",
            ),
            ledger=ledger,
            client=client,
            heartbeat_interval=settings.worker.heartbeat_interval,
            observe=metrics.observe,
            resumed=metrics.resumed.inc,
        )

        def forget(run_key: str) -> None:
            ChannelState.remove(states / f"{run_key}.json")
            spools.give_up(run_key)
            self.activities.sessions.forget(run_key)

        async def unknown(_: str) -> None:
            # What is on a server outlives this host's interest in it.
            return None

        self._claims = Claims(client, ledger, unknown, host, forget)

    async def hand_back(self) -> None:
        """Tell Temporal of the runs that an earlier process left behind."""
        await self._claims.hand_back()

    @contextlib.asynccontextmanager
    async def kept_up(self) -> AsyncIterator[None]:
        """Stop what nobody wants any more while in the block."""
        task = asyncio.create_task(self._keep_clean())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def close(self) -> None:
        """Let go of the servers; scripts that run there go on."""
        await self._channels.close_all()
        await self._engine.close()

    async def _keep_clean(self) -> None:
        while True:
            await logged(self._stop_orphans)
            await logged(lambda: self._claims.forget_settled(self.activities.known))
            await asyncio.sleep(self._interval)

    async def _stop_orphans(self) -> None:
        for key in self.activities.known() - self.activities.claimed():
            if not await self._claims.wanted({names.LABEL_RUN_KEY: key}):
                self.activities.stop_orphan(key)
