"""One server as a place where scripts run: the engine that a session drives."""

import logging
import shlex
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import CroniumError, ErrorInfo
from contracts.events import EventSpec
from contracts.logs import Stream
from engines.places import SandboxExit, SandboxSpec
from engines.ssh import program, verdict
from engines.ssh.account import Account
from engines.ssh.answers import explain
from engines.ssh.program import command
from engines.ssh.sandbox import SshSandbox
from engines.ssh.shell import Answered

logger = logging.getLogger(__name__)

SOCKET_NAME = "api.sock"
YOUNG_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep found on a server."""

    removed: list[str]
    """Run keys of directories that are gone now."""
    running: list[str]
    """Run keys of scripts that run and that nobody here claims; left alone."""


class SshPlace:
    """Makes and finds runs on one server.

    Args:
        account: The server.
        channels: Directory with one directory per run here, in which the worker
            listens on a socket; scripts reach it through the connection. None: they
            have no channel.
    """

    def __init__(self, account: Account, channels: Path | None = None) -> None:
        self._account = account
        self._channels = channels

    async def create(self, spec: SandboxSpec) -> SshSandbox:
        """Make the run's directory on the server, ready to be started.

        Raises:
            SandboxRunsAlready: The run was started there before: go on with that.
            SshUnavailable: The server cannot be reached now.
            SshRefused: It cannot be used like this.
        """
        directory = self._account.server.working_directory or ""
        config = self._account.config
        lines = program.make(spec, config.instance, directory)
        shell = await self._account.open()
        try:
            words = await shell.ask(lines, self._account.patience)
            if words[1] != "helped":
                await shell.ask(program.give_helper(), self._account.patience)
        except Answered as answer:
            await shell.close()
            raise explain(answer, self._account.place) from None
        except BaseException:
            shell.abandon()
            raise
        begin = program.begin(spec, config.output_bytes, directory)
        return SshSandbox(
            self._account, spec.run_key, begin, shell, self._socket_of(spec.run_key)
        )

    def sandbox(self, run_key: str) -> SshSandbox:
        """Return the handle of a run, whether it exists or not."""
        return SshSandbox(self._account, run_key, socket=self._socket_of(run_key))

    def _socket_of(self, run_key: str) -> Path | None:
        return self._channels / run_key / SOCKET_NAME if self._channels else None

    async def remove(self, sandbox: SshSandbox) -> None:
        """Remove a run, its processes first.

        Raises:
            SshUnavailable: The server was not reached; a sweep will come by.
        """
        await sandbox.remove()

    def judge(
        self, event: EventSpec, end: SandboxExit, last_lines: list[str]
    ) -> ErrorInfo:
        """Say why a script that exited with a code other than 0 did not succeed."""
        limit = self._account.config.output_bytes
        return verdict.judge(event, end, last_lines, limit)

    async def environment(self, run_key: str) -> dict[str, str]:
        """Return the variables that a run was given; none when it is gone."""
        pieces: list[bytes] = []

        def take(stream: Stream, data: bytes) -> None:
            pieces.append(data)

        shell = await self._account.open()
        try:
            await shell.collect(
                command("environment", run_key), take, self._account.patience
            )
        finally:
            await shell.close()
        text = b"".join(pieces).decode("utf-8", "surrogatepass")
        pairs = (word.partition("=") for word in shlex.split(text) if word != "export")
        return {name: value for name, _, value in pairs}

    async def sweep(
        self, claimed: Collection[str], older_than: float = YOUNG_SECONDS
    ) -> Swept:
        """Remove what ended runs of this instance left on the server.

        Args:
            claimed: Run keys that somebody is working on, here or elsewhere.
            older_than: Age in seconds below which nothing is touched.

        Raises:
            SshUnavailable: The server cannot be reached now.
        """
        swept = Swept([], [])
        shell = await self._account.open()
        try:
            listed = await shell.answers(
                command("list"), "LISTED", self._account.patience
            )
        finally:
            await shell.close()
        for _, key, state, age, *instance in listed[:-1]:
            if " ".join(instance) != self._account.config.instance or key in claimed:
                continue
            if state == "running":
                swept.running.append(key)
            elif float(age) >= older_than:
                try:
                    await self.sandbox(key).remove()
                except CroniumError as error:
                    logger.warning("leftover %s stays for now: %s", key, error)
                    continue
                swept.removed.append(key)
        return swept
