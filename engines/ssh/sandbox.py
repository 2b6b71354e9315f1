"""One script on one server: started detached, followed, found again, ended, removed.

The script needs nobody: it writes into files, and so does whoever keeps it on the
server. This side follows the files over a channel and, when the connection breaks,
comes back and goes on at the byte where it was.
"""

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from contracts.errors import (
    CroniumError,
    EngineUnavailable,
    HostLost,
    SandboxFailed,
    WorkerFault,
)
from contracts.logs import Stream
from contracts.server_errors import SshUnavailable
from engines.places import NAME_PREFIX, OnData, SandboxExit
from engines.ssh.account import Account
from engines.ssh.answers import End, Standing, explain
from engines.ssh.program import command
from engines.ssh.shell import Answered, Shell
from engines.ssh.wayback import WayBack

logger = logging.getLogger(__name__)

DRAIN_SECONDS = 5.0
# After a kill that worked, the keeper writes the end and the channel brings it.
SETTLE_SECONDS = 15.0
FIRST_WAIT_SECONDS = 0.2
KILLED_CODE = 137
# People take what comes within this time for immediate.
PROMPT_SECONDS = 0.2


class SshSandbox:
    """A run's directory and processes on a server. Made by `SshPlace`.

    Args:
        account: Where.
        run_key: The run it belongs to.
        begin: The line that starts the script; None: it is not ours to start.
        shell: A channel that can be used for it.
        socket: Where this worker listens for what the script says; None: nowhere.
        home: The directory on the server, when it was made just now.
        on_left: Called when the run may have been left on the server for good.
    """

    def __init__(
        self,
        account: Account,
        run_key: str,
        begin: str | None = None,
        shell: Shell | None = None,
        socket: Path | None = None,
        home: str = "",
        on_left: Callable[[], None] = lambda: None,
    ) -> None:
        self._account = account
        self.name = NAME_PREFIX + run_key
        self.run_key = run_key
        self._begin = begin
        self._shell = shell
        self._home = home
        self._on_left = on_left
        self._way_back = WayBack(account, run_key, socket)
        self._on_data: OnData | None = None
        self._read: dict[Stream, int] = {}
        self._following: asyncio.Task[None] | None = None
        self._begun: asyncio.Future[None] | None = None
        self._exit: asyncio.Future[SandboxExit] | None = None
        self._output_ended: asyncio.Future[None] | None = None
        self._began: float | None = None
        self._leftovers: tuple[str, ...] = ()
        self._asked_at: tuple[int, int] | None = None

    async def attach(self, on_data: OnData) -> None:
        """Remember whom the output is for; it is followed from the start on."""
        self._on_data = on_data

    async def start(self) -> None:
        """Start the script; it is started once, however often this is tried.

        When the connection breaks in the middle, nobody knows whether the server has
        begun: then it counts as started, and the follower makes sure that it is.

        Raises:
            SshUnavailable: The server was not reached: nothing was started.
            SandboxFailed: It cannot start the script.
        """
        assert self._begin is not None, "only a sandbox that was made here is started"
        self.watch()
        self._begun = asyncio.get_running_loop().create_future()
        self._follow(follow=True)
        await asyncio.shield(self._begun)

    async def replay(self, on_data: OnData, *, follow: bool) -> None:
        """Read the output again from its first byte; the last reading ends."""
        self.detach()
        self._on_data = on_data
        self._follow(follow=follow)

    def detach(self) -> None:
        """Stop reading; the script goes on."""
        if self._following is not None:
            self._following.cancel()
        self._way_back.close()
        self._drop_shell()

    def watch(self) -> None:
        """Expect the end; it comes over the channel that brings the output."""
        if self._exit is None:
            self._exit = asyncio.get_running_loop().create_future()

    @property
    def output_ended(self) -> "asyncio.Future[None]":
        """Done when there is nothing more to read."""
        assert self._output_ended is not None, "start() or replay() comes first"
        return self._output_ended

    @property
    def exited(self) -> "asyncio.Future[SandboxExit]":
        """Done when the script has ended."""
        assert self._exit is not None, "start() or watch() comes first"
        return self._exit

    async def drain(self, seconds: float = DRAIN_SECONDS) -> bool:
        """Wait for the rest of the output; False when it did not end in time."""
        if self._output_ended is None:
            return True
        done, _ = await asyncio.wait([self._output_ended], timeout=seconds)
        return bool(done)

    async def stop(self, grace: float) -> SandboxExit:
        """End the whole tree: TERM, grace, KILL, and a look whether all are gone.

        Raises:
            SandboxFailed: The script could not be ended.
            EngineUnavailable: The server stayed away too long.
        """
        while not self.exited.done():
            try:
                self._leftovers = await self.end(grace)
            except SshUnavailable as error:
                logger.info("%s is stopped later: %s", self.name, error)
                await asyncio.wait([self.exited], timeout=FIRST_WAIT_SECONDS * 5)
                continue
            await asyncio.wait([self.exited], timeout=SETTLE_SECONDS)
            if not self.exited.done():
                raise SandboxFailed(
                    f"the script on {self._account.place} could not be ended; left: "
                    f"{', '.join(self._leftovers) or 'nothing that can be seen'}"
                )
        return replace(await self.exited, leftovers=self._leftovers)

    async def remove(self) -> None:
        """End what runs, remove the directory, and verify that it is gone.

        Raises:
            SshUnavailable: The server was not reached; a sweep will come by.
            SandboxFailed: The directory could not be removed.
        """
        shell = self._free_shell()
        self._shell = None if shell is not None else self._shell
        self.detach()
        if shell is None:
            shell = await self._account.open()
        try:
            seconds = self._account.patience
            await shell.answers(command("forget", self.run_key), "FORGOTTEN", seconds)
        except Answered as answer:
            raise explain(answer, self._account.place) from None
        finally:
            await shell.close()

    async def status(self) -> str | None:
        """Return `created`, `running`, `exited` or `dead`; None: it is not there."""
        return (await self._standing()).status

    async def never_begins(self) -> bool:
        """Return True: without our word, nothing begins what was created."""
        return True

    async def started_at(self) -> float | None:
        """Return when the script was started: seconds since 1970, our clock."""
        if self._began is None:
            self._began = (await self._standing()).began
        return self._began

    async def first_output_at(self) -> float | None:
        """Return None: nothing of the output is ever thrown away before its end."""
        return None

    def _free_shell(self) -> Shell | None:
        """Return the channel that is at hand, unless it is busy following."""
        busy = self._following is not None and not self._following.done()
        shell = self._shell
        return None if busy or shell is None or shell.closed.is_set() else shell

    def _drop_shell(self) -> None:
        if self._shell is not None:
            self._shell.abandon()
            self._shell = None

    async def _standing(self) -> Standing:
        shell = await self._account.open()
        try:
            line = command("status", self.run_key)
            return Standing.of(await shell.ask(line, self._account.patience))
        except Answered as answer:
            raise explain(answer, self._account.place) from None
        finally:
            await shell.close()

    async def end(self, grace: float) -> tuple[str, ...]:
        """End the whole tree; return what could not be ended: `pid user command`.

        Raises:
            SshUnavailable: The server was not reached.
        """
        shell = await self._account.open()
        try:
            seconds = grace + self._account.patience
            line = command("end", self.run_key, math.ceil(grace * 5))
            answers = await shell.answers(line, "ENDED", seconds)
        except Answered as answer:
            raise explain(answer, self._account.place) from None
        finally:
            await shell.close()
        left = tuple(" ".join(words[1:]) for words in answers if words[0] == "LEFT")
        if left:
            logger.warning("left of %s on %s: %s", self.name, self._account.place, left)
        return left

    def _follow(self, *, follow: bool) -> None:
        assert self._on_data is not None, "attach() comes first"
        self._read = {Stream.STDOUT: 0, Stream.STDERR: 0}
        self._output_ended = asyncio.get_running_loop().create_future()
        self._following = asyncio.create_task(
            self._settle(self._output_ended, follow=follow)
        )

    async def _settle(self, ended: "asyncio.Future[None]", *, follow: bool) -> None:
        """Follow to the end and tell whoever waits for it."""
        try:
            end = await self._until_end(follow=follow)
            if end is not None and self._exit is not None and not self._exit.done():
                self._exit.set_result(end)
        except CroniumError as error:
            self._fail(error)
        except Exception as error:
            # A fault of ours; whoever waits must not wait for ever.
            logger.exception("following %s", self.name)
            kind = type(error).__name__
            self._fail(WorkerFault(f"the worker met an unforeseen {kind}"))
        finally:
            self._way_back.close()
            if not ended.done():
                ended.set_result(None)

    def _fail(self, error: CroniumError) -> None:
        for future in (self._begun, self._exit):
            if future is not None and not future.done():
                future.set_exception(error)
                future.exception()  # known: nobody may be waiting any more

    async def _until_end(self, *, follow: bool) -> SandboxExit | None:
        away_since: float | None = None
        wait = FIRST_WAIT_SECONDS
        while True:
            try:
                if self._shell is None:
                    self._shell = await self._account.open()
                home, self._home = self._home, ""
                await self._way_back.open(self._shell, home)
                self._shell.listen(self._take)
                after = await self._ensure_begun(self._shell)
                away_since = None
                end = End.of(await self._shell.follow(self._line(), after))
                if self._is_short_of(end):
                    continue
                if end.state != "running" or not follow:
                    return await self._ended(end)
            except Answered as answer:
                raise self._gone(answer) from None
            except SshUnavailable as error:
                self._drop_shell()
                if self._begun is not None and not self._begun.done():
                    raise
                away_since = away_since or time.monotonic()
                if time.monotonic() - away_since > self._account.config.outage_window:
                    self._on_left()
                    raise EngineUnavailable(
                        f"{self._account.place} has been away for "
                        f"{self._account.config.outage_window:g} s: {error}",
                        hint=error.user_hint,
                    ) from None
            await asyncio.sleep(random.uniform(wait / 2, wait))
            wait = min(wait * 2, self._account.config.retry_seconds)

    async def _ensure_begun(self, shell: Shell) -> float:
        """Start the script, unless somebody did.

        Returns:
            How long to wait before asking for its output: one that ends sooner tells
            of it by itself, which spares its server two processes.
        """
        if self._begin is None:
            return 0
        shell.write(self._begin)
        try:
            words = await shell.answer(self._account.patience)
        except SshUnavailable:
            # It may have begun: from here on only the server knows.
            self._mark_begun()
            raise
        self._began = Standing.of(["STATUS", "running", *words[1:]]).began
        self._begin = None
        self._mark_begun()
        return PROMPT_SECONDS

    def _mark_begun(self) -> None:
        if self._begun is not None and not self._begun.done():
            self._begun.set_result(None)

    def _is_short_of(self, end: End) -> bool:
        """Whether something is left on the server that can still be asked for.

        A file that became shorter than it was does not get longer by asking again.
        """
        read = (self._read[Stream.STDOUT], self._read[Stream.STDERR])
        short = end.state == "exited" and (
            read[0] < end.sizes[0] or read[1] < end.sizes[1]
        )
        again = short and read != self._asked_at
        self._asked_at = read
        return again

    def _line(self) -> str:
        out, err = self._read[Stream.STDOUT], self._read[Stream.STDERR]
        return command("follow", self.run_key, out, err)

    def _take(self, stream: Stream, data: bytes) -> None:
        assert self._on_data is not None
        self._read[stream] += len(data)
        self._on_data(stream, data)

    async def _ended(self, end: End) -> SandboxExit | None:
        if end.state == "rebooted":
            raise HostLost(
                f"{self._account.place} was started anew while the script ran on it"
            )
        if end.state == "exited":
            if end.flooded:
                # What made itself a session of its own writes on.
                self._leftovers = await self.end(0)
            return SandboxExit(
                code=end.code,
                oom_killed=False,
                started_at=end.began,
                finished_at=end.ended,
                flooded=end.flooded,
                leftovers=self._leftovers,
            )
        if end.state == "gone":
            left = await self.end(0)
            return SandboxExit(
                code=KILLED_CODE,
                oom_killed=False,
                started_at=end.began,
                finished_at=None,
                interrupted=True,
                leftovers=left,
            )
        if end.state == "created":
            raise SandboxFailed(f"{self.name} was never started")
        return None

    def _gone(self, answer: Answered) -> CroniumError:
        started = self._begun is None or self._begun.done()
        if answer.kind == "missing" and started:
            return HostLost(
                f"the script's directory on {self._account.place} is not there any "
                "more, and nobody has seen how the script ended"
            )
        return explain(answer, self._account.place)
