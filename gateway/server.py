"""Runs the gateway under uvicorn, inside an event loop that is already there.

Start the process with `uvloop.run`: lines pass about twice as fast.
"""

import asyncio
import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Iterator

import uvicorn

from contracts.limits import MIB
from gateway.app import create_app
from gateway.config import GatewayConfig
from gateway.errors import GatewayNotReady
from gateway.protocol import GatewayWebSocketProtocol

# Above the largest record that is stored, so that one that is too large is refused by
# name instead of costing its connection, again and again.
_MAX_FRAME_BYTES = 8 * MIB
_DRAIN_SECONDS = 5
_UNHANDLED = (signal.SIG_DFL, signal.default_int_handler)


class GatewayServer(uvicorn.Server):
    """One listening gateway; `port` is known once `listening` is set."""

    def __init__(self, config: GatewayConfig) -> None:
        super().__init__(
            uvicorn.Config(
                create_app(config),
                host=config.host,
                port=config.port,
                ws=GatewayWebSocketProtocol,
                ws_max_size=_MAX_FRAME_BYTES,
                ws_per_message_deflate=False,
                lifespan="on",
                # uvicorn's own lines would show tokens that are in addresses.
                access_log=False,
                log_config=None,
                log_level="warning",
                server_header=False,
                # Said in full, since uvicorn would else believe whoever is local, and
                # read the environment.
                proxy_headers=bool(config.trusted_proxies),
                forwarded_allow_ips=list(config.trusted_proxies),
                timeout_graceful_shutdown=_DRAIN_SECONDS,
            )
        )
        self.listening = asyncio.Event()

    @property
    def port(self) -> int:
        """The port it listens on, also when the configuration said 0."""
        return int(self.servers[0].sockets[0].getsockname()[1])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start parts and listener, then say so. Raises GatewayNotReady."""
        try:
            await super().startup(sockets)
        except SystemExit:
            # An exit from inside a task would tear down the loop of whoever runs us.
            raise GatewayNotReady(
                f"The gateway cannot start on {self.config.host}:{self.config.port}.",
                hint="The log says why: the address is taken, or the database fails.",
            ) from None
        if self.started:
            host = self.config.host
            logging.getLogger(__name__).info("Listening on %s:%d", host, self.port)
            self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End on SIGTERM and SIGINT, unless the process deals with them itself."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {
            number: signal.signal(number, self.handle_exit)
            for number in (signal.SIGTERM, signal.SIGINT)
            if signal.getsignal(number) in _UNHANDLED
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


async def serve(config: GatewayConfig, *, started: asyncio.Event | None = None) -> None:
    """Serve until cancelled or told to end by SIGTERM or SIGINT; ends gracefully.

    `started` is set when connections are accepted. Raises GatewayNotReady when the
    address is taken or the database cannot be opened; the reason is in the log.
    """
    server = GatewayServer(config)
    serving = asyncio.create_task(server.serve(), name="gateway")
    listening = asyncio.create_task(server.listening.wait())
    try:
        await asyncio.wait((serving, listening), return_when=asyncio.FIRST_COMPLETED)
        if started is not None and server.started:
            started.set()
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await serving
    finally:
        listening.cancel()
