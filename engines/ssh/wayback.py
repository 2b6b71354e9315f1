"""The way from a script on a server back to the worker that listens for it.

The server's sshd listens on a socket in the run's private directory and brings each
connection here. When the connection breaks the socket is dead until the follower is
back; the helper tries again meanwhile.
"""

import asyncio
import logging
import os
from pathlib import Path

import asyncssh

from engines.ssh.account import Account
from engines.ssh.program import command
from engines.ssh.shell import Shell

logger = logging.getLogger(__name__)


class WayBack:
    """Brings one run's calls to the worker's socket.

    Args:
        account: The server.
        run_key: The run.
        socket: The worker's end; None: there is none.
    """

    def __init__(self, account: Account, run_key: str, socket: Path | None) -> None:
        self._account = account
        self._run_key = run_key
        self._socket = socket
        self._listener: asyncssh.SSHListener | None = None
        self._directory = -1

    async def open(self, shell: Shell, home: str = "") -> None:
        """Listen on the server, over the shell's connection.

        A server that does not allow it runs scripts all the same; they are told that
        they cannot talk.

        Args:
            shell: The channel that the script is followed over.
            home: The run's directory, when it is known and new.

        Raises:
            Answered: The run's directory is not there.
            SshUnavailable: The connection broke.
        """
        if self._socket is None or shell.connection is None:
            return
        self.close()
        remote = f"{home}/{self._socket.name}"
        if not home:
            line = command("socket", self._run_key)
            words = await shell.ask(line, self._account.patience)
            remote = " ".join(words[1:])
        try:
            # By its directory: a socket's path may have 107 bytes and no more.
            self._directory = os.open(self._socket.parent, os.O_PATH)
            local = f"/proc/self/fd/{self._directory}/{self._socket.name}"
            async with asyncio.timeout(self._account.patience):
                self._listener = await shell.connection.forward_remote_path(
                    remote, local
                )
        except (OSError, asyncssh.Error, asyncssh.ChannelListenError) as error:
            logger.info("scripts on %s have no channel: %s", self._account.place, error)

    def close(self) -> None:
        """Listen no more."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        if self._directory >= 0:
            os.close(self._directory)
            self._directory = -1
