"""Connections to servers, shared by the scripts that run on them.

Each server's logins are limited to a few at once, since sshd refuses when too many are
under way; a connection carries as many scripts as the server allows (MaxSessions).
"""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass

import asyncssh

from contracts.errors import RequestRefused
from contracts.server_errors import SshConnectFailed, SshProtocolError, SshTotalTimeout
from contracts.servers import Deadlines, Endpoint, ServerSpec
from engines.ssh.algorithms import choose
from engines.ssh.breaker import Breaker, BreakerState
from engines.ssh.config import SshConfig
from engines.ssh.credentials import Login, Logins
from engines.ssh.handshake import Dial, ExchangeDropped, HandshakeDropped, connect
from engines.ssh.hostkeys import KnownHosts, Verifier
from engines.ssh.members import Group, Key, Member

logger = logging.getLogger(__name__)

BACKOFF_SECONDS = (0.2, 3.0)
Hop = tuple[Endpoint, Login]


@dataclass(eq=False, slots=True)
class Lease:
    """The right to one channel of a connection."""

    connection: asyncssh.SSHClientConnection
    fresh: bool
    """Whether the connection was made just now."""
    _pool: "Pool"
    _group: Group
    _member: Member
    _done: bool = False
    _opened: bool = False

    @property
    def alone(self) -> bool:
        """Whether nobody else uses the connection."""
        return self._member.used == 1

    def opened(self) -> None:
        """Say that the server opened the channel."""
        self._opened = True
        self._member.open += 1

    def refused(self) -> None:
        """Say that the server wants no more channels on this connection."""
        self._group.limit = max(1, self._member.open)
        self.release()

    def broken(self) -> None:
        """Say that the connection is of no use any more.

        Channels that are open on it may still work: they end it when they end.
        """
        self._member.gone = True
        self.release()

    def release(self) -> None:
        """Give the channel back; again is fine."""
        if not self._done:
            self._done = True
            self._member.used -= 1
            self._member.open -= self._opened
            self._pool.idle(self._member)


class Pool:
    """Makes connections and keeps them for a while.

    Args:
        config: The operator's choices.
        logins: Resolves credentials.
    """

    def __init__(self, config: SshConfig, logins: Logins) -> None:
        self._config = config
        self._logins = logins
        self._known = KnownHosts(config.known_hosts, learn=config.trust_on_first_use)
        self._groups: dict[Key, Group] = {}
        self._turns: dict[tuple[str, int], asyncio.Semaphore] = {}
        self._breakers: dict[tuple[str, int], Breaker] = {}

    async def lease(self, server: ServerSpec) -> Lease:
        """Return the right to a channel to the server.

        Raises:
            SshUnavailable: It cannot be reached now.
            SshRefused: It cannot be used like this.
            RequestRefused: Its description cannot be used.
        """
        seconds = server.deadlines.total_seconds
        try:
            async with asyncio.timeout(seconds):
                hops = [
                    (endpoint, await self._logins.login(endpoint.credentials))
                    for endpoint in (*server.jump, server)
                ]
                return await self._lease(hops, server.deadlines)
        except TimeoutError:
            raise SshTotalTimeout(
                f"{server.address}:{server.port} could not be used within {seconds:g} s"
            ) from None

    def breaker(self, endpoint: Endpoint) -> Breaker:
        """Return the breaker of a server; all its users share it."""
        place, config = (endpoint.address, endpoint.port), self._config
        if place not in self._breakers:
            self._breakers[place] = Breaker(
                f"{endpoint.address}:{endpoint.port}",
                failures=config.breaker_failures,
                seconds=config.breaker_seconds,
                probes=config.breaker_probes,
                successes=config.breaker_successes,
            )
        return self._breakers[place]

    def breakers(self) -> dict[str, BreakerState]:
        """Return the state of every server's breaker, for the metrics."""
        return {
            f"{address}:{port}": breaker.state
            for (address, port), breaker in self._breakers.items()
        }

    def connections(self) -> int:
        """Return how many connections there are."""
        return sum(member.alive for g in self._groups.values() for member in g.members)

    def idle(self, member: Member) -> None:
        """Close a connection that nobody uses after a while."""
        if member.used:
            return
        if not member.alive:
            member.close()
            return
        loop = asyncio.get_running_loop()

        def close() -> None:
            if not member.used:
                member.close()
                self._prune()

        if member.idle is not None:
            member.idle.cancel()
        member.idle = loop.call_later(self._config.idle_close, close)

    async def close(self) -> None:
        """Close all connections; scripts go on."""
        members = [m for group in self._groups.values() for m in group.members]
        self._groups.clear()
        for member in members:
            member.close()
        await asyncio.gather(
            *(member.connecting for member in members), return_exceptions=True
        )

    def _prune(self) -> None:
        """Forget what no connection belongs to, but for limits that were learned."""
        usual = self._config.channels
        for key, group in list(self._groups.items()):
            if group.limit == usual and not any(m.alive for m in group.members):
                del self._groups[key]

    async def _lease(
        self, hops: list[Hop], deadlines: Deadlines, *, tunnel: bool = False
    ) -> Lease:
        group = self._groups.setdefault(_key(hops), Group(self._config.channels))
        member = group.free(tunnel=tunnel)
        fresh = member is None
        if member is None:
            member = self._begin(group, hops, deadlines)
        if member.idle is not None:
            member.idle.cancel()
        member.used += 1
        try:
            connection = await asyncio.shield(member.connecting)
        except BaseException:
            member.used -= 1
            raise
        return Lease(connection, fresh, self, group, member)

    def _begin(self, group: Group, hops: list[Hop], deadlines: Deadlines) -> Member:
        task = asyncio.ensure_future(self._open(hops, deadlines))
        member = Member(task)
        group.members.append(member)

        def done(connecting: asyncio.Task[asyncssh.SSHClientConnection]) -> None:
            # Whoever waited may have left: then nobody else asks for the error.
            if not connecting.cancelled() and connecting.exception() is None:
                self.idle(member)

        task.add_done_callback(done)
        return member

    async def _open(
        self, hops: list[Hop], deadlines: Deadlines
    ) -> asyncssh.SSHClientConnection:
        endpoint, login = hops[-1]
        if login.agent and self._config.agent_socket is None:
            raise RequestRefused(
                "credentials.agent: this worker has no SSH agent that servers may use",
                hint="Ask the operator for one, or give a key.",
            )
        way = (
            await self._lease(hops[:-1], deadlines, tunnel=True)
            if len(hops) > 1
            else None
        )
        dial = Dial(
            endpoint,
            login,
            choose(endpoint.algorithms),
            deadlines,
            self._config,
            way.connection if way else None,
        )
        made = False

        def lost() -> None:
            if made and way is not None:
                way.release()

        try:
            breaker = self.breaker(endpoint)
            with breaker.attempt():
                connection = await self._in_turn(dial, breaker, lost)
        except BaseException:
            if way is not None:
                way.release()
            raise
        made = True
        return connection

    async def _in_turn(
        self, dial: Dial, breaker: Breaker, lost: Callable[[], None]
    ) -> asyncssh.SSHClientConnection:
        """Log in when it is our turn; again when the server was too busy."""
        place = (dial.endpoint.address, dial.endpoint.port)
        turns = self._turns.setdefault(
            place, asyncio.Semaphore(self._config.handshakes)
        )
        wait, longest = BACKOFF_SECONDS
        dropped = False
        for left in range(self._config.handshake_tries - 1, -1, -1):
            try:
                async with turns:
                    breaker.check()
                    return await connect(
                        dial, Verifier(dial.endpoint, self._known), lost
                    )
            except ExchangeDropped as error:
                # Once it may be the network; what is said twice is meant.
                if dropped:
                    raise SshProtocolError(str(error)) from None
                dropped = True
            except HandshakeDropped as error:
                if not left:
                    raise SshConnectFailed(str(error)) from None
                logger.info("trying again: %s", error)
            await asyncio.sleep(random.uniform(wait / 2, wait))
            wait = min(wait * 2, longest)
        raise AssertionError("the last try returns or raises")


def _key(hops: list[Hop]) -> Key:
    return tuple(
        (
            endpoint.address,
            endpoint.port,
            endpoint.username,
            login.fingerprint,
            tuple(endpoint.host_keys),
            endpoint.algorithms.model_dump_json(),
        )
        for endpoint, login in hops
    )
