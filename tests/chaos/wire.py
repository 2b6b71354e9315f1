"""Stand between two processes: cut a connection, swallow its bytes, hold a request.

`Wire` is a TCP relay; `Gate` is a relay for the Docker socket that can hold one chosen
request or its answer, so that a process can be killed at an exact point of its work.
"""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.conftest import pick_port

CHUNK = 1 << 16
REQUEST = re.compile(rb"(GET|POST|PUT|DELETE) (\S+) HTTP/1\.[01]\r\n")
Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


class Relay:
    """What both have in common: pairs of streams, and their end."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._writers: set[Writer] = set()
        self._serving: set[asyncio.Task[None]] = set()

    async def connect(self) -> tuple[Reader, Writer]:
        """Reach the other side."""
        raise NotImplementedError

    async def forward(self, near: tuple[Reader, Writer]) -> None:
        """Carry one connection to its end."""
        raise NotImplementedError

    async def serve(self, reader: Reader, writer: Writer) -> None:
        """Carry one connection and forget it."""
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        self._writers.add(writer)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self.forward((reader, writer))
        finally:
            writer.close()
            self._writers.discard(writer)
            self._serving.discard(task)

    def drop(self) -> None:
        """Reset every connection there is."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def close(self) -> None:
        """End everything."""
        if self._server is not None:
            self._server.close()
        self.drop()
        for task in list(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)


class Wire(Relay):
    """A TCP relay to a port of this machine.

    Args:
        target: The port behind it.
    """

    def __init__(self, target: int) -> None:
        super().__init__()
        self.target = target
        self.port = pick_port()
        self.refusing = False
        self._through = asyncio.Event()
        self._through.set()

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self.serve, "127.0.0.1", self.port)

    def cut(self) -> None:
        """Reset all connections and every new one: a host that is down."""
        self.refusing = True
        self.drop()

    def swallow(self) -> None:
        """Deliver nothing and say nothing: a cable that was pulled."""
        self._through.clear()

    def heal(self) -> None:
        """Deliver again, first of all what was held back, as TCP does."""
        self.refusing = False
        self._through.set()

    async def forward(self, near: tuple[Reader, Writer]) -> None:
        """Carry one connection."""
        if self.refusing:
            near[1].transport.abort()
            return
        await self._through.wait()
        far = await asyncio.open_connection("127.0.0.1", self.target)
        self._writers.add(far[1])
        try:
            await both(
                self._pump(near[0], far[1], near[1]),
                self._pump(far[0], near[1], far[1]),
            )
        finally:
            far[1].close()
            self._writers.discard(far[1])

    async def _pump(self, source: Reader, sink: Writer, back: Writer) -> None:
        while data := await source.read(CHUNK):
            await self._through.wait()
            sink.write(data)
            await sink.drain()
        await self._through.wait()
        # An end in one direction ends both: gRPC and WebSockets know no half-close.
        sink.close()
        back.close()


class Hold:
    """One request that is stopped on its way.

    Args:
        method: HTTP method.
        path: Regular expression that is searched in the request's path.
        answer: Whether the request passes and only its answer is held.
    """

    def __init__(self, method: str, path: str, *, answer: bool = False) -> None:
        self.method = method.encode()
        self.path = re.compile(path.encode())
        self.answer = answer
        self.reached = asyncio.Event()
        self.released = asyncio.Event()

    def takes(self, chunk: bytes) -> bool:
        """Say whether a chunk begins the request, which only the first one is."""
        found = REQUEST.match(chunk)
        return (
            found is not None
            and not self.reached.is_set()
            and found[1] == self.method
            and self.path.search(found[2]) is not None
        )


class Gate(Relay):
    """A relay for the Docker socket.

    Args:
        path: Socket to listen on.
        target: The daemon's socket.
    """

    def __init__(self, path: Path, target: Path) -> None:
        super().__init__()
        self.path = path
        self.target = target
        self.hold: Hold | None = None

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_unix_server(self.serve, self.path)

    def arm(self, method: str, path: str, *, answer: bool = False) -> Hold:
        """Hold the next request that matches; any earlier one is let go."""
        self.open()
        self.hold = Hold(method, path, answer=answer)
        return self.hold

    def open(self) -> None:
        """Let everything pass."""
        if self.hold is not None:
            self.hold.released.set()
        self.hold = None

    async def forward(self, near: tuple[Reader, Writer]) -> None:
        """Carry one connection."""
        far = await asyncio.open_unix_connection(str(self.target))
        self._writers.add(far[1])
        held: list[Hold] = []
        try:
            # A follower of output closes its half: the other one must stay open.
            await both(
                self._requests(near[0], far[1], held),
                self._answers(far[0], near[1], held),
            )
        finally:
            far[1].close()
            self._writers.discard(far[1])

    async def _requests(self, source: Reader, sink: Writer, held: list[Hold]) -> None:
        while chunk := await source.read(CHUNK):
            hold = self.hold
            if hold is not None and hold.takes(chunk):
                if hold.answer:
                    held.append(hold)
                else:
                    hold.reached.set()
                    await hold.released.wait()
            sink.write(chunk)
            await sink.drain()
        sink.write_eof()

    async def _answers(self, source: Reader, sink: Writer, held: list[Hold]) -> None:
        while chunk := await source.read(CHUNK):
            if held:
                hold = held.pop()
                hold.reached.set()
                await hold.released.wait()
            sink.write(chunk)
            await sink.drain()
        sink.close()


async def both(*pumps: Awaitable[None]) -> None:
    """Wait for both directions; an error in one ends the other."""
    tasks = [asyncio.ensure_future(pump) for pump in pumps]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for something that nothing tells us about.

    Raises:
        AssertionError: It did not happen in time; `what` says what was waited for.
    """
    try:
        async with asyncio.timeout(seconds):
            while not holds():  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"not within {seconds:g} s: {what}") from None
