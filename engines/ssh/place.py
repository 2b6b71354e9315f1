"""One server as a place where scripts run: the engine that a session drives."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from contracts.errors import CroniumError, ErrorInfo
from contracts.events import EventSpec
from contracts.logs import Stream
from contracts.servers import ServerSpec
from engines.places import SandboxExit, SandboxSpec
from engines.ssh import program, verdict
from engines.ssh.account import Account
from engines.ssh.answers import explain
from engines.ssh.program import command
from engines.ssh.sandbox import SshSandbox
from engines.ssh.shell import Answered

SOCKET_NAME = "api.sock"


@dataclass(frozen=True, slots=True)
class Found:
    """A run that is on a server."""

    run_key: str
    running: bool
    """Whether its script runs."""


class Upkeep(Protocol):
    """Who removes what runs left on servers."""

    def met(self, server: ServerSpec, keys: list[str]) -> None:
        """Hear which other runs are on a server."""

    def left(self, server: ServerSpec) -> None:
        """Hear that something of ours may have stayed on a server."""


class SshPlace:
    """Makes and finds runs on one server.

    Args:
        account: The server.
        upkeep: Told what may have to be removed from the server; None: nobody is.
        channels: Directory with one directory per run here, in which the worker
            listens on a socket; scripts reach it through the connection. None: they
            have no channel.
    """

    def __init__(
        self,
        account: Account,
        upkeep: "Upkeep | None" = None,
        channels: Path | None = None,
    ) -> None:
        self._account = account
        self._upkeep = upkeep
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
            found = await shell.answers(lines, "MADE", self._account.patience)
            if found[-1][1] != "helped":
                lines = program.give_helper(spec)
                found += await shell.answers(lines, "MADE", self._account.patience)
        except Answered as answer:
            await shell.close()
            raise explain(answer, self._account.place) from None
        except BaseException:
            shell.abandon()
            # A busy server may read it all the same, when nobody waits any more.
            self._left()
            raise
        socket = self._socket_of(spec.run_key)
        begin = program.begin(
            spec, config.output_bytes, directory, channel=socket is not None
        )
        others = [key for words in found if words[0] == "OTHERS" for key in words[1:]]
        if others and self._upkeep is not None:
            self._upkeep.met(self._account.server, others)
        home = " ".join(found[-1][2:])
        return SshSandbox(
            self._account, spec.run_key, begin, shell, socket, home, self._left
        )

    def sandbox(self, run_key: str) -> SshSandbox:
        """Return the handle of a run, whether it exists or not."""
        return SshSandbox(
            self._account,
            run_key,
            socket=self._socket_of(run_key),
            on_left=self._left,
        )

    @property
    def name(self) -> str:
        """The server's name in messages."""
        return self._account.place

    def _left(self) -> None:
        if self._upkeep is not None:
            self._upkeep.left(self._account.server)

    def _socket_of(self, run_key: str) -> Path | None:
        # sshd acts for who logged in, and cannot go where the other user may.
        if self._channels is None or self._account.server.run_as is not None:
            return None
        return self._channels / run_key / SOCKET_NAME

    async def remove(self, sandbox: SshSandbox) -> None:
        """Remove a run, its processes first.

        Raises:
            SshUnavailable: The server was not reached; a sweep will come by.
        """
        try:
            await sandbox.remove()
        except CroniumError:
            self._left()
            raise

    def judge(
        self, event: EventSpec, end: SandboxExit, last_lines: list[str]
    ) -> ErrorInfo:
        """Say why a script that exited with a code other than 0 did not succeed."""
        limit = self._account.config.output_bytes
        return verdict.judge(event, end, last_lines, limit)

    async def environment(self, run_key: str) -> dict[str, str]:
        """Return the variables that a run was given; none when it is gone.

        Raises:
            SshUnavailable: The server cannot be reached now.
        """
        text = await self._text(run_key, "environment")
        pairs = (word.partition("=") for word in shlex.split(text) if word != "export")
        return {name: value for name, _, value in pairs}

    async def labels(self, run_key: str) -> dict[str, str]:
        """Return what a run was labelled with; nothing when it is gone, or foreign.

        Raises:
            SshUnavailable: The server cannot be reached now.
        """
        try:
            found = json.loads(await self._text(run_key, "labels"))
        except ValueError:
            return {}
        if not isinstance(found, dict):
            return {}
        return {str(name): str(value) for name, value in found.items()}

    async def runs(self) -> list[Found]:
        """Return the runs of this instance that are on the server.

        Raises:
            SshUnavailable: The server cannot be reached now.
        """
        shell = await self._account.open()
        try:
            lines = command("list")
            listed = await shell.answers(lines, "LISTED", self._account.patience)
        except Answered as answer:
            raise explain(answer, self._account.place) from None
        finally:
            await shell.close()
        ours = self._account.config.instance
        return [
            Found(key, state == "running")
            for _, key, state, *instance in listed[:-1]
            if " ".join(instance) == ours
        ]

    async def _text(self, run_key: str, name: str) -> str:
        pieces: list[bytes] = []

        def take(stream: Stream, data: bytes) -> None:
            pieces.append(data)

        shell = await self._account.open()
        try:
            line = command("show", run_key, name)
            await shell.collect(line, take, self._account.patience)
        except Answered as answer:
            raise explain(answer, self._account.place) from None
        finally:
            await shell.close()
        return b"".join(pieces).decode("utf-8", "surrogatepass")
