"""One channel to a server with our program in it, which answers line by line.

The channel runs the plain `exec /bin/sh`, which every login shell understands, and the
program comes over its stdin: nothing is ever on a command line.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable

import asyncssh

from contracts.errors import CroniumError
from contracts.limits import MIB
from contracts.logs import Stream
from contracts.server_errors import SshConnectFailed, SshIdleTimeout, SshServerRefused
from engines.places import OnData
from engines.ssh import program
from engines.ssh.frames import Frames

logger = logging.getLogger(__name__)

COMMAND = "exec /bin/sh"
# With a terminal: made transparent first, and out of the shell's way.
TERMINAL_READY = "cronium-terminal-ready"
TERMINAL_COMMAND = (
    f"exec /bin/sh -c 'stty raw -echo; echo {TERMINAL_READY} READY; cat | /bin/sh'"
)
CLOSE_SECONDS = 2.0
# One script may not take more of the worker than this; the server keeps the rest.
MAX_BYTES_PER_SECOND = 32 * MIB
PACE_SECONDS = 0.05
NOISE_CHARS = 300

Words = list[str]


class Answered(Exception):
    """The server answered that it cannot; `kind` says why."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind} {text}".strip())
        self.kind = kind
        self.text = text


class ShellEnded(SshServerRefused):
    """The shell on the server ended by itself."""

    @property
    def type(self) -> str:
        """The word that clients match on."""
        return SshServerRefused.__name__


class Shell(asyncssh.SSHClientSession[bytes]):
    """The client's end of one channel.

    Args:
        place: The server's name in messages.
        terminal: Whether the channel has a terminal, and thus one stream only.
    """

    def __init__(self, place: str, *, terminal: bool) -> None:
        self._place = place
        self._terminal = terminal
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._answers: asyncio.Queue[Words | None] = asyncio.Queue()
        self._out = self._frames(TERMINAL_READY if terminal else _mark(), self._answer)
        self._err = self._frames(_mark(), self._end_of_stderr)
        self._on_data: OnData | None = None
        self._stderr_ended = asyncio.Event()
        self.closed = asyncio.Event()
        self.received = dict.fromkeys((Stream.STDOUT, Stream.STDERR), 0)
        """Bytes of the script's output so far."""
        self._budget = 0.0
        self._window_end = 0.0
        self.connection: asyncssh.SSHClientConnection | None = None
        self.on_closed: Callable[[], None] = lambda: None

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        """Remember the channel."""
        self._channel = chan

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        """Sort what the server sent."""
        frames = self._err if datatype == asyncssh.EXTENDED_DATA_STDERR else self._out
        frames.feed(data)
        self._pace(len(data))

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake whoever waits for an answer."""
        self.closed.set()
        self._stderr_ended.set()
        self._answers.put_nowait(None)
        self.on_closed()

    def load(self, boot_id: str) -> None:
        """Send our program; what is asked next is answered by it."""
        mark = self.mark()
        self.write(program.header(mark, boot_id, one_stream=self._terminal))

    def mark(self) -> str:
        """Choose a new mark for what comes next; return it."""
        mark = _mark()
        self._out = self._frames(mark, self._answer, self._out.noise)
        self._err = self._frames(mark, self._end_of_stderr, self._err.noise)
        return mark

    def write(self, text: str) -> None:
        """Send lines.

        Raises:
            SshConnectFailed: The connection is gone.
        """
        assert self._channel is not None
        if self.closed.is_set():
            raise self._lost()
        # A shell that has ended takes nothing; its last words are still on their way,
        # and whoever waits for the answer gets them.
        with contextlib.suppress(OSError):
            self._channel.write(text.encode("utf-8", "surrogateescape"))

    async def ask(self, line: str, seconds: float) -> Words:
        """Send a command and return the first answer.

        Raises:
            Answered: The server cannot.
            SshUnavailable: No answer came.
        """
        self.write(line)
        return await self.answer(seconds)

    async def answer(self, seconds: float) -> Words:
        """Return the next answer.

        Raises:
            Answered: The server cannot.
            SshUnavailable: No answer came.
        """
        try:
            words = await asyncio.wait_for(self._answers.get(), seconds)
        except TimeoutError:
            raise SshIdleTimeout(
                f"{self._place} did not answer within {seconds:g} s"
            ) from None
        if words is None:
            self._answers.put_nowait(None)
            raise self._lost()
        if words[0] == "ERR":
            raise Answered(words[1], " ".join(words[2:]))
        return words

    async def answers(self, line: str, last: str, seconds: float) -> list[Words]:
        """Send a command and return all answers up to the last one, which counts."""
        found = [await self.ask(line, seconds)]
        while found[-1][0] != last:
            found.append(await self.answer(seconds))
        return found

    def listen(self, on_data: OnData) -> None:
        """Hand on the output that comes from now on."""
        self._on_data = on_data
        self._stderr_ended.clear()

    async def follow(self, line: str, after: float) -> Words:
        """Ask for all output until its end; return the end's words.

        Args:
            line: The question.
            after: Seconds in which the end may come without being asked for.

        Raises:
            Answered: There is nothing to follow.
            SshUnavailable: The connection broke.
        """
        asked = False
        while True:
            try:
                async with asyncio.timeout(None if asked else after):
                    words = await self._answers.get()
            except TimeoutError:
                asked = True
                self.write(line)
                continue
            if words is None:
                raise self._lost()
            if words[0] == "ERR":
                raise Answered(words[1], " ".join(words[2:]))
            if words[0] == "END":
                break
        if not self._terminal:
            await self._stderr_ended.wait()
        if self.closed.is_set():
            raise self._lost()
        return words

    async def collect(self, line: str, on_data: OnData, seconds: float) -> None:
        """Send a command and hand on what it prints between its two answers."""
        self._on_data = on_data
        self.write(line)
        while (await self.answer(seconds))[0] != "END":
            pass

    @property
    def noise(self) -> str:
        """What login shell, sudo and the like said, fit for a message."""
        text = (self._out.noise + b" " + self._err.noise).decode("utf-8", "replace")
        plain = "".join(c if c.isprintable() else " " for c in text)
        return " ".join(plain.split())[-NOISE_CHARS:]

    def abandon(self) -> None:
        """Close without waiting."""
        if self._channel is not None:
            self._channel.abort()

    async def close(self) -> None:
        """Close, and wait a little for the server to agree."""
        if self._channel is None or self.closed.is_set():
            return
        self._channel.close()
        try:
            await asyncio.wait_for(self.closed.wait(), CLOSE_SECONDS)
        except TimeoutError:
            self._channel.abort()

    def _frames(
        self, mark: str, on_words: Callable[[Words], None], noise: bytes = b""
    ) -> Frames:
        stream = Stream.STDOUT if on_words == self._answer else Stream.STDERR

        def output(data: bytes, named: str) -> None:
            self._output(Stream(named) if named else stream, data)

        frames = Frames(mark.encode() + b" ", on_words, output)
        frames.noise = noise
        return frames

    def _answer(self, words: Words) -> None:
        self._answers.put_nowait(words)

    def _end_of_stderr(self, words: Words) -> None:
        if words[0] == "END":
            self._stderr_ended.set()

    def _output(self, stream: Stream, data: bytes) -> None:
        self.received[stream] += len(data)
        if self._on_data is not None:
            self._on_data(stream, data)

    def _lost(self) -> CroniumError:
        status = self._channel.get_exit_status() if self._channel is not None else None
        if status is None:
            return SshConnectFailed(f"the connection to {self._place} was lost")
        said = f": {self.noise}" if self.noise else ""
        return ShellEnded(
            f"the shell on {self._place} ended with code {status}{said}",
            hint="The account needs a login shell that may run /bin/sh.",
        )

    def _pace(self, size: int) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now >= self._window_end:
            self._window_end = now + PACE_SECONDS
            self._budget = MAX_BYTES_PER_SECOND * PACE_SECONDS
        self._budget -= size
        if self._budget < 0 and self._channel is not None:
            self._channel.pause_reading()
            loop.call_at(self._window_end, self._resume)

    def _resume(self) -> None:
        if self._channel is not None and not self.closed.is_set():
            self._channel.resume_reading()


def _mark() -> str:
    return f"cronium-{secrets.token_hex(16)}"
