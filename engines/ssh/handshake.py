"""One connection, from nothing to logged in; each step has a deadline and an error.

The deadlines stand outside the library: a peer may hang at any byte, and then its
socket is shut under the library's feet.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import asyncssh

from contracts.errors import CroniumError, RequestRefused
from contracts.server_errors import (
    SshAuthFailed,
    SshAuthTimeout,
    SshBannerTimeout,
    SshConnectFailed,
    SshConnectTimeout,
    SshHostKeyChanged,
    SshProtocolError,
)
from contracts.servers import Deadlines, Endpoint
from engines.ssh.algorithms import Chosen
from engines.ssh.config import SshConfig
from engines.ssh.credentials import Login
from engines.ssh.hostkeys import Verifier

logger = logging.getLogger(__name__)

# After a cancellation the library says goodbye; a dead peer never hears it.
GOODBYE_SECONDS = 1.0
VERSION = "Cronium"
# What sshd says when it has more logins under way than MaxStartups.
BUSY_WORDS = ("Exceeded MaxStartups", "Not allowed at this time")


class HandshakeDropped(SshConnectFailed):
    """The server hung up before it said what it is: it has too many under way."""


class ExchangeDropped(SshConnectFailed):
    """The server hung up in the key exchange: it found no algorithm in common."""


class Steps(asyncssh.SSHClient):
    """Notes how far a connection came, and judges the host key."""

    def __init__(self, verifier: Verifier, on_lost: Callable[[], None]) -> None:
        self._verifier = verifier
        self._on_lost = on_lost
        self.connected = asyncio.Event()
        self.verified = asyncio.Event()
        self.connection: asyncssh.SSHClientConnection | None = None

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        """Note that there is a way to the server."""
        self.connection = conn
        self.connected.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever keeps the connection."""
        self._on_lost()

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        """Judge a key that is not among the trusted ones."""
        return self._verifier.accepts(key)

    def begin_auth(self, username: str) -> None:
        """Note that the key exchange is done: the server is who it should be."""
        self.verified.set()

    @property
    def greeted(self) -> bool:
        """Whether the server said its name and version."""
        connection = self.connection
        return connection is not None and bool(
            connection.get_extra_info("server_version")
        )

    def cut(self) -> None:
        """End the connection at once, whatever state the library is in."""
        if self.connection is None:
            return
        self.connection.abort()
        line: socket.socket | None = self.connection.get_extra_info("socket")
        if line is not None:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)


@dataclass(frozen=True, slots=True)
class Dial:
    """Everything that one connection is made from."""

    endpoint: Endpoint
    login: Login
    chosen: Chosen
    deadlines: Deadlines
    config: SshConfig
    tunnel: asyncssh.SSHClientConnection | None = None

    @property
    def place(self) -> str:
        """The endpoint's name in messages."""
        return f"{self.endpoint.username}@{self.endpoint.address}:{self.endpoint.port}"


async def connect(
    dial: Dial, verifier: Verifier, on_lost: Callable[[], None]
) -> asyncssh.SSHClientConnection:
    """Return a connection that is logged in.

    Args:
        dial: Where to and how.
        verifier: Judges the host key.
        on_lost: Called when a connection that was made has ended.

    Raises:
        SshUnavailable: Not now; the kind says which step failed.
        SshRefused: Not like this.
    """
    offers = verifier.offers(dial.chosen)
    for number, host_keys in enumerate(offers, start=1):
        steps = Steps(verifier, on_lost)
        try:
            async with _keys(dial) as keys:
                options = _options(dial, verifier, steps, host_keys, keys)
                return await _connect(dial, verifier, steps, options)
        except (SshHostKeyChanged, ExchangeDropped):
            # The next kind of key may be the right one, or show what is wrong.
            if number == len(offers):
                if verifier.refusal is not None:
                    raise verifier.refusal from None
                raise
    raise AssertionError("there is always something to offer")


async def _connect(
    dial: Dial, verifier: Verifier, steps: Steps, options: dict[str, Any]
) -> asyncssh.SSHClientConnection:
    connecting = asyncio.ensure_future(
        asyncssh.connect(
            dial.endpoint.address,
            dial.endpoint.port,
            tunnel=dial.tunnel if dial.tunnel is not None else (),
            **options,
        )
    )
    try:
        await _walk(dial, steps, connecting)
        return connecting.result()
    except (OSError, asyncssh.Error, ValueError) as error:
        raise _explain(dial, verifier, steps, error) from None
    finally:
        if not connecting.done():
            connecting.cancel()
            await asyncio.wait([connecting], timeout=GOODBYE_SECONDS)
        if connecting.cancelled() or not connecting.done():
            steps.cut()


async def _walk(
    dial: Dial,
    steps: Steps,
    connecting: "asyncio.Task[asyncssh.SSHClientConnection]",
) -> None:
    """Wait step by step; the one that takes too long names the error."""
    limits, place = dial.deadlines, dial.place
    if not await _reached(connecting, steps.connected, limits.connect_seconds):
        raise SshConnectTimeout(
            f"{place}: no TCP connection within {limits.connect_seconds:g} s"
        )
    if not await _reached(connecting, steps.verified, limits.banner_seconds):
        raise SshBannerTimeout(
            f"{place}: connected, but no SSH handshake within "
            f"{limits.banner_seconds:g} s"
        )
    await asyncio.wait([connecting], timeout=limits.auth_seconds)
    if not connecting.done():
        raise SshAuthTimeout(
            f"{place}: the login was not answered within {limits.auth_seconds:g} s"
        )


async def _reached(
    connecting: "asyncio.Task[asyncssh.SSHClientConnection]",
    step: asyncio.Event,
    seconds: float,
) -> bool:
    waiting = asyncio.ensure_future(step.wait())
    try:
        await asyncio.wait(
            [connecting, waiting],
            timeout=seconds,
            return_when=asyncio.FIRST_COMPLETED,
        )
    finally:
        waiting.cancel()
    return step.is_set() or connecting.done()


@contextlib.asynccontextmanager
async def _keys(dial: Dial) -> AsyncIterator[list[asyncssh.SSHKeyPair]]:
    """Give the login's keys, and those of the operator's agent if it may use them."""
    socket_path = dial.config.agent_socket
    if not dial.login.agent or socket_path is None:
        yield list(dial.login.keys)
        return
    try:
        async with asyncio.timeout(dial.deadlines.connect_seconds):
            agent = await asyncssh.connect_agent(str(socket_path))
            offered = await agent.get_keys()
    except (OSError, ValueError) as error:
        raise RequestRefused(
            f"credentials.agent: the worker's SSH agent does not answer: "
            f"{type(error).__name__}",
            hint="Ask the operator to start it, or give a key.",
        ) from None
    async with agent:
        yield [*dial.login.keys, *offered]


def _options(
    dial: Dial,
    verifier: Verifier,
    steps: Steps,
    host_keys: tuple[str, ...],
    keys: list[asyncssh.SSHKeyPair],
) -> dict[str, Any]:
    login, config = dial.login, dial.config
    return {
        "config": None,
        "client_factory": lambda: steps,
        "client_version": VERSION,
        "username": dial.endpoint.username,
        "known_hosts": verifier.lists,
        "server_host_key_algs": list(host_keys),
        "x509_trusted_certs": None,
        # Never an empty list: that would offer what lies in the worker's own ~/.ssh.
        "client_keys": keys or None,
        "password": login.password,
        "agent_path": None,
        "gss_host": None,
        "kex_algs": list(dial.chosen.kex),
        "encryption_algs": list(dial.chosen.ciphers),
        "mac_algs": list(dial.chosen.macs),
        "compression_algs": ["none"],
        "keepalive_interval": config.keepalive_interval,
        "keepalive_count_max": config.keepalive_count,
        "connect_timeout": None,
        "login_timeout": 0,
    }


def _explain(
    dial: Dial, verifier: Verifier, steps: Steps, error: Exception
) -> CroniumError:
    """Return our error for the library's or the system's."""
    place = dial.place
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return verifier.unverifiable(error.reason)
    if isinstance(error, asyncssh.PermissionDenied):
        return SshAuthFailed(f"{place} does not accept the credentials")
    if isinstance(error, asyncssh.KeyExchangeFailed):
        if "host key" in error.reason:
            return ExchangeDropped(f"{place}: {error.reason}")
        return SshProtocolError(f"{place}: {error.reason}")
    if isinstance(error, asyncssh.ChannelOpenError):
        return SshConnectFailed(f"{place}: the jump host cannot reach it")
    early = steps.connected.is_set() and not steps.verified.is_set()
    if isinstance(error, asyncssh.ConnectionLost | ConnectionError) and early:
        if steps.greeted:
            return ExchangeDropped(
                f"{place} hung up in the key exchange: it may know none of the "
                "algorithms that were offered"
            )
        return HandshakeDropped(f"{place} hung up before it said anything")
    if isinstance(error, asyncssh.DisconnectError):
        if any(words in error.reason for words in BUSY_WORDS):
            return HandshakeDropped(f"{place}: {error.reason}")
        if isinstance(error, asyncssh.ProtocolError | asyncssh.ProtocolNotSupported):
            return SshProtocolError(f"{place} does not speak SSH as it should")
        if "Too many authentication failures" in error.reason:
            return SshAuthFailed(f"{place} does not accept the credentials")
        return SshConnectFailed(f"{place} ended the connection: {error.reason}")
    if isinstance(error, OSError):
        what = error.strerror or type(error).__name__
        return SshConnectFailed(f"{place}: {what}")
    return SshProtocolError(f"{place}: {error}")
