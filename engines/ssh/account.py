"""One user's account on one server: the maker of channels with our program in them."""

import asyncio
from typing import Any

import asyncssh

from contracts.errors import CroniumError
from contracts.server_errors import SshConnectFailed, SshIdleTimeout, SshServerRefused
from contracts.servers import ServerSpec
from engines.ssh import elevation
from engines.ssh.config import SshConfig
from engines.ssh.credentials import Logins
from engines.ssh.pool import Lease, Pool
from engines.ssh.shell import COMMAND, TERMINAL_COMMAND, Shell

OPEN_TRIES = 10
# A connection that was used before may have died unnoticed; the next one is soon made.
STALE_SECONDS = 5.0


class Account:
    """Opens channels to a server.

    Args:
        server: Which.
        config: The operator's choices.
        pool: Where connections come from.
        logins: Resolves secrets.
    """

    def __init__(
        self, server: ServerSpec, config: SshConfig, pool: Pool, logins: Logins
    ) -> None:
        self.server = server
        self.config = config
        self._pool = pool
        self._logins = logins
        self.patience = server.deadlines.idle_seconds
        """How long an answer may take, in seconds."""

    @property
    def place(self) -> str:
        """The account's name in messages."""
        return f"{self.server.username}@{self.server.address}:{self.server.port}"

    async def open(self) -> Shell:
        """Return a channel that takes commands.

        A connection that had died unnoticed, or that takes no more channels, is
        replaced without a word.

        Raises:
            SshUnavailable: The server cannot be reached now.
            SshRefused: It cannot be used like this.
        """
        for _ in range(OPEN_TRIES):
            lease = await self._pool.lease(self.server)
            shell = await self._channel(lease)
            if shell is None:
                continue
            try:
                await self._prepare(shell)
            except BaseException:
                shell.abandon()
                raise
            return shell
        raise SshServerRefused(f"{self.place} opens no session")

    async def _channel(self, lease: Lease) -> Shell | None:
        """Open a channel; None: take another connection."""
        terminal = self.server.pty
        shell = Shell(self.place, terminal=terminal)
        opening = asyncio.ensure_future(
            lease.connection.create_session(
                lambda: shell,
                TERMINAL_COMMAND if terminal else COMMAND,
                encoding=None,
                request_pty="force" if terminal else False,
                term_type="dumb" if terminal else None,
            )
        )
        patience = self.patience if lease.fresh else min(self.patience, STALE_SECONDS)
        try:
            async with asyncio.timeout(patience):
                await asyncio.shield(opening)
        except asyncssh.ChannelOpenError as error:
            self._refused(lease, error)
            return None
        except TimeoutError:
            opening.add_done_callback(_close_late)
            self._broken(
                lease, SshIdleTimeout(f"{self.place} opened no session in time")
            )
            return None
        except (OSError, asyncssh.Error):
            self._broken(lease, self._lost())
            return None
        except BaseException:
            # The server opens it all the same, and would keep it for ever.
            opening.add_done_callback(_close_late)
            lease.release()
            raise
        lease.opened()
        shell.connection = lease.connection
        shell.on_closed = lease.release
        if shell.closed.is_set():
            lease.release()
        return shell

    def _refused(self, lease: Lease, error: asyncssh.ChannelOpenError) -> None:
        if lease.connection.is_closed():
            self._broken(lease, self._lost())
        elif error.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED or lease.alone:
            lease.release()
            raise SshServerRefused(
                f"{self.place} opens no session: {error.reason}",
                hint="Check MaxSessions, ForceCommand and PermitTTY in sshd_config.",
            )
        else:
            lease.refused()

    def _broken(self, lease: Lease, error: CroniumError) -> None:
        """Give up the connection; one that was made just now is no stale one."""
        lease.broken()
        if lease.fresh:
            raise error

    def _lost(self) -> SshConnectFailed:
        return SshConnectFailed(f"the connection to {self.place} was lost")

    async def _prepare(self, shell: Shell) -> None:
        if self.server.pty:
            # Nothing may be sent before the terminal is transparent.
            await shell.answer(self.patience)
        run_as, seconds = self.server.run_as, self.server.deadlines.auth_seconds
        if run_as is not None:
            secret, password = run_as.password, None
            if secret is not None:
                password = await asyncio.to_thread(
                    self._logins.text, secret, "runAs.password"
                )
            await elevation.become(shell, run_as, password, seconds)
        shell.load(self.config.boot_id)


def _close_late(opening: "asyncio.Future[Any]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result()[0].abort()
