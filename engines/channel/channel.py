"""The channel of one run: its state, what it may spend, where it listens."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from uvicorn.server import ServerState

from engines.channel.bucket import TokenBucket
from engines.channel.refusals import unavailable
from engines.channel.run import ChannelRun
from engines.channel.sockets import UnixListener
from engines.channel.state import ChannelState, digest

logger = logging.getLogger(__name__)

# For calls that are under way when the run ends.
SETTLE_SECONDS = 2.0
# A helper that sends a call again does so within minutes, and one at a time.
MAX_ACTED = 16


class Channel:
    """An open channel. Made by `ChannelServer.open`.

    Args:
        run: Whose it is.
        state: What an earlier life of the worker kept.
    """

    def __init__(self, run: ChannelRun, state: ChannelState) -> None:
        self.run = run
        self.state = state
        self.bucket = TokenBucket(run.limits.calls_per_minute)
        self.connections = ServerState()
        self._listener: UnixListener | None = None
        self._changing = asyncio.Lock()

    async def listen(self, path: Path, protocol: Callable[[], Any]) -> None:
        """Take connections at `path`; one that listened there is replaced.

        Raises OSError.
        """
        if self.run.token:
            await self._save(replace(self.state, token_digest=digest(self.run.token)))
        elif not self.state.token_digest:
            logger.warning("%s: its token is lost", self.run.execution_id)
        self._listener = await UnixListener.open(path, protocol)

    async def change(self, **fields: Any) -> None:
        """Change the state, durably; refuses the call when that is not possible."""
        async with self._changing:
            try:
                await self._save(replace(self.state, **fields))
            except OSError as error:
                logger.warning("a channel's state cannot be kept: %s", error.strerror)
                raise unavailable(
                    "the worker cannot keep this now; try again"
                ) from error

    async def remember(self, once: str, answer: str) -> None:
        """Keep the answer of a tool action, durably if the disk lets us."""
        async with self._changing:
            newest = list(self.state.acted.items())[1 - MAX_ACTED :]
            state = replace(self.state, acted=dict([*newest, (once, answer)]))
            try:
                await self._save(state)
            except OSError as error:
                # It is done: to refuse the call now would have it done again.
                self.state = state
                logger.warning("a tool action is not noted: %s", error.strerror)

    async def _save(self, state: ChannelState) -> None:
        # In a thread: a busy disk must not hold up other runs.
        await asyncio.to_thread(state.save, self.run.state_file)
        self.state = state

    async def close(self) -> ChannelState:
        """Take no more calls, finish those under way; return what the script said.

        The saved state stays, for a worker that goes on with the run:
        `ChannelState.remove` deletes it.
        """
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for connection in list(self.connections.connections):
            connection.shutdown()
        if self.connections.tasks:
            await asyncio.wait(self.connections.tasks, timeout=SETTLE_SECONDS)
        for connection in list(self.connections.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()
        return self.state
