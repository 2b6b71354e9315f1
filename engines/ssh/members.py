"""Connections of one kind to one server, and how many scripts use each."""

import asyncio
from dataclasses import dataclass, field

import asyncssh

Key = tuple[object, ...]


@dataclass(eq=False, slots=True)
class Member:
    """One connection, or one that is being made."""

    connecting: "asyncio.Task[asyncssh.SSHClientConnection]"
    used: int = 0
    """Channels that are open or asked for, and connections that go through it."""
    open: int = 0
    """Channels that the server has opened."""
    gone: bool = False
    idle: asyncio.TimerHandle | None = None

    @property
    def alive(self) -> bool:
        """Whether it can be used, now or when it is made."""
        if self.gone:
            return False
        if not self.connecting.done():
            return True
        if self.connecting.cancelled() or self.connecting.exception() is not None:
            return False
        return not self.connecting.result().is_closed()

    def close(self) -> None:
        """End it, with everything that goes through it."""
        self.gone = True
        if self.idle is not None:
            self.idle.cancel()
        if not self.connecting.done():
            self.connecting.cancel()
        elif not self.connecting.cancelled() and self.connecting.exception() is None:
            self.connecting.result().close()


@dataclass(eq=False, slots=True)
class Group:
    """All connections that are interchangeable."""

    limit: int
    """Channels per connection."""
    members: list[Member] = field(default_factory=list)

    def free(self, *, tunnel: bool) -> Member | None:
        """Return a connection with room for one more."""
        self.members = [member for member in self.members if member.alive]
        for member in self.members:
            if tunnel or member.used < self.limit:
                return member
        return None
