"""A gateway in a thread of its own, for tools that block while they ask it things."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.config import GatewayConfig
from gateway.server import GatewayServer
from gateway.tokens import Scope, mint

START_SECONDS = 60.0


@dataclass(frozen=True)
class Threaded:
    """Where it is."""

    port: int
    secret: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def token(self, scope: Scope = Scope.SERVICE, subject: str = "tests") -> str:
        return mint(self.secret, scope, subject=subject, lifetime_seconds=36_000)


@contextlib.contextmanager
def threaded(config: GatewayConfig) -> Iterator[Threaded]:
    """Run a gateway until the end of the block."""
    listening = threading.Event()
    box: list[GatewayServer] = []

    async def serve() -> None:
        server = GatewayServer(config)
        box.append(server)
        serving = asyncio.create_task(server.serve())
        await server.listening.wait()
        listening.set()
        await serving

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert listening.wait(START_SECONDS), "the gateway did not start"
    try:
        yield Threaded(box[0].port, config.secret)
    finally:
        box[0].should_exit = True
        thread.join(START_SECONDS)
        assert not thread.is_alive()
