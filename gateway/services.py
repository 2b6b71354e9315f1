"""The parts of one gateway, as its routes find them on the app."""

from dataclasses import dataclass, field

from starlette.requests import HTTPConnection

from gateway.config import GatewayConfig
from gateway.database import Database, open_database
from gateway.hooks import Hooks
from gateway.hooks_ledger import Ledger
from gateway.hooks_upkeep import HookUpkeep
from gateway.hooks_writing import Writing
from gateway.intake import Intake
from gateway.keys import SecretFile
from gateway.live import Hub
from gateway.metrics import Metrics
from gateway.rates import Rates
from gateway.reads import Reads
from gateway.retention import Retention
from gateway.store import Store
from gateway.variables import Variables


@dataclass
class Services:
    """Everything that lives as long as the app."""

    config: GatewayConfig
    database: Database
    metrics: Metrics
    hub: Hub = field(init=False)
    store: Store = field(init=False)
    intake: Intake = field(init=False)
    reads: Reads = field(init=False)
    retention: Retention = field(init=False)
    variables: Variables = field(init=False)
    rates: Rates = field(init=False)
    hooks: Hooks = field(init=False)
    ledger: Ledger = field(init=False)
    hook_upkeep: HookUpkeep = field(init=False)

    def __post_init__(self) -> None:
        self._secret = SecretFile(self.config.secret, self.config.secret_file)
        self.rates = Rates()
        self.hub = Hub(self.config.viewer_buffer_lines)
        self.store = Store(self.database, self.hub, self.metrics)
        self.intake = Intake(self.store, self.metrics)
        self.reads = Reads(self.database)
        self.variables = Variables(self.database, self.store)
        self.retention = Retention(
            self.database, self.store, self.config.retention_days
        )
        writing = Writing(self.database, self.store)
        self.hooks = Hooks(
            writing, self._secret.current, self.config.public_url.rstrip("/")
        )
        self.ledger = Ledger(writing)
        self.hook_upkeep = HookUpkeep(self.hooks, self.ledger, self._secret.current)

    @property
    def secret(self) -> str:
        """The gateway's secret as it is now; see `gateway.keys`."""
        return self._secret.current()

    async def stop(self) -> None:
        """Store what is waiting and close the database."""
        await self.hook_upkeep.stop()
        await self.retention.stop()
        await self.intake.stop()
        await self.database.close()


async def start(config: GatewayConfig) -> Services:
    """Return the parts, started. Raises StorageFailed without a usable database."""
    services = Services(config, await open_database(config.database_url), Metrics())
    services.intake.start()
    services.retention.start()
    services.hook_upkeep.start()
    return services


def services_of(connection: HTTPConnection) -> Services:
    """Return the parts of the app that a request or WebSocket came to."""
    found = connection.app.state.services
    assert isinstance(found, Services)
    return found
