"""The SSH engine of one worker: all servers, over one pool of connections."""

from pathlib import Path

from contracts.servers import ServerSpec
from engines.ssh.account import Account
from engines.ssh.breaker import BreakerState
from engines.ssh.check import Checked, check
from engines.ssh.config import SshConfig
from engines.ssh.credentials import Logins, Secrets
from engines.ssh.place import SshPlace, Upkeep
from engines.ssh.pool import Pool


class SshEngine:
    """Knows how to reach servers.

    Args:
        config: The operator's choices.
        secrets: Resolves the names of secrets in server descriptions.
    """

    def __init__(self, config: SshConfig, secrets: Secrets) -> None:
        self.config = config
        self._logins = Logins(secrets)
        self.pool = Pool(config, self._logins)
        self.upkeep: Upkeep | None = None
        """Who hears what may have to be removed from servers."""

    def place(self, server: ServerSpec, channels: Path | None = None) -> SshPlace:
        """Return a server as a place where scripts run. Nothing is sent yet.

        Args:
            server: Which.
            channels: Directory with `<run key>/api.sock` for each run: the worker's
                end of the channel that scripts talk through; None: they have none.
        """
        return SshPlace(self._account(server), self.upkeep, channels)

    async def check(self, server: ServerSpec) -> Checked:
        """Log in and look what the server has for scripts.

        Raises:
            SshUnavailable: It cannot be reached now.
            SshRefused: It cannot be used like this.
        """
        return await check(self._account(server))

    def breakers(self) -> dict[str, BreakerState]:
        """Return the state of every server's breaker, for the metrics."""
        return self.pool.breakers()

    async def close(self) -> None:
        """Let go of all servers; scripts go on."""
        await self.pool.close()

    def _account(self, server: ServerSpec) -> Account:
        return Account(server, self.config, self.pool, self._logins)
