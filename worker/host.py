"""The Docker host of a worker: its activities, its proof and its upkeep."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from temporalio.client import Client

from activities import Claims, ContainerActivities, ContainerSessions, Ledger
from activities.failures import known
from activities.watching import Watch
from contracts.errors import EngineNotHardened
from engines.channel import ChannelServer, ChannelState, GatewayVariables
from engines.docker import DockerEngine
from engines.docker.janitor import Janitor
from engines.docker.proof import trouble_of
from engines.secrets import SecretStore
from logstream import SpoolDirectory
from worker.compose import docker_config, secret_sources
from worker.deliveries import tool_actions
from worker.metrics import WorkerMetrics
from worker.settings import Settings
from worker.tracing import traced
from worker.upkeep import logged

logger = logging.getLogger(__name__)

# Between two attempts to prove a host that could not be proved.
PROOF_RETRY_SECONDS = 5.0
RELEASE_SECONDS = 3.0
RETIRE_SECONDS = 3.0
ENGINE, ISOLATION = "docker", "isolation"
STARTING = "the proof of the host's limits is under way"


class DockerHost:
    """Everything of a worker that needs a Docker Engine.

    Args:
        settings: Everything an operator chose.
        host: Id of this host.
        client: Temporal.
        spools: Where log lines wait for the gateway.
        metrics: What is counted.
        variables: The variables of all users.
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
        watch: Watch,
    ) -> None:
        self._settings = settings.docker
        self.engine = DockerEngine(docker_config(settings, host), metrics.sandboxes)
        self.part = ISOLATION
        """Which part has the problem: the engine, or the proof of its limits."""
        self.problem: str | None = STARTING
        ledger = Ledger(settings.state_dir / "runs")
        states = settings.state_dir / "channels"
        self._channels = ChannelServer(
            variables, traced(metrics.helpers, settings.tracing.endpoint)
        )
        self.activities = ContainerActivities(
            sessions=ContainerSessions(
                engine=self.engine,
                spools=spools,
                secrets=SecretStore(*secret_sources(settings)),
                host=host,
                log_cap=settings.logs.cap,
                channels=self._channels,
                states=states,
                window=settings.worker.resume_window,
                tool_action=tool_actions(settings).execute,
            ),
            ledger=ledger,
            client=client,
            heartbeat_interval=settings.worker.heartbeat_interval,
            not_ready=lambda: self.problem,
            watch=watch,
        )

        def forget(run_key: str) -> None:
            ChannelState.remove(states / f"{run_key}.json")
            spools.give_up(run_key)

        self._claims = Claims(
            client,
            ledger,
            lambda key: self.engine.sandbox(key).status(),
            host,
            forget,
        )

    async def hand_back(self) -> None:
        """Tell Temporal of the runs that an earlier process left behind."""
        await self._claims.hand_back()

    async def prove(self) -> None:
        """Return when this host was seen to enforce its limits."""
        while True:
            trouble = await trouble_of(self.engine)
            if trouble is None:
                self.problem = None
                return
            problem = f"{trouble} {trouble.user_hint}".strip()
            if self.problem != problem:
                logger.error("%s", problem)
            unproved = isinstance(trouble, EngineNotHardened)
            self.part = ISOLATION if unproved else ENGINE
            self.problem = problem
            await asyncio.sleep(PROOF_RETRY_SECONDS)

    @contextlib.asynccontextmanager
    async def kept_up(self) -> AsyncIterator[None]:
        """Watch the engine and remove leftovers while in the block."""
        tasks = [
            asyncio.create_task(self._watch_engine()),
            asyncio.create_task(self._keep_clean()),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        """Let go of the engine; sandboxes that still run stay as they are."""
        await self._channels.close_all()
        await self.activities.released(RELEASE_SECONDS)
        with contextlib.suppress(TimeoutError):
            # What stays is swept away by the next worker of this host.
            await asyncio.wait_for(self.engine.standby.close(), RELEASE_SECONDS)
        await logged(self._retire_network)
        self.engine.close()

    async def _retire_network(self) -> None:
        # A daemon that hangs must not keep us; the janitor of another worker comes.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RETIRE_SECONDS):
                await self.engine.network.retire()

    async def _watch_engine(self) -> None:
        interval = self._settings.ping_interval
        away = False
        while True:
            try:
                await self.engine.ping(interval)
                if away:
                    await self._welcome_back()
                away = False
            except Exception as error:
                # Whatever it is: without this watch no outage would be noticed.
                trouble = known(error)
                if not away:
                    logger.error("%s", trouble)
                away, self.part, self.problem = True, ENGINE, str(trouble)
                self.engine.standby.pool.clear()
            await asyncio.sleep(interval)

    async def _welcome_back(self) -> None:
        logger.info("Docker answers again")
        self.engine.network.forget()
        # It may come back as another: proved as at the start.
        self.part, self.problem = ISOLATION, STARTING
        await self.prove()

    async def _keep_clean(self) -> None:
        janitor = Janitor(
            self.engine,
            self.activities.claimed,
            self._claims.wanted,
            self.activities.stop_orphan,
        )
        while True:
            await logged(janitor.sweep)
            await logged(lambda: self._claims.forget_settled(self.activities.known))
            await asyncio.sleep(self._settings.janitor_interval)
