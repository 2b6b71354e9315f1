"""What a sandbox writes, on its way into the log, across lost connections.

As long as nothing breaks, the output comes over the connection that was made before the
script began. After a break, or in another process, it is read again from its first byte
into a log that leaves out what is written already; and once more when the script has
ended, so that the log is complete whatever a broken connection swallowed.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from contracts.errors import EngineUnavailable, SandboxFailed
from contracts.logs import Stream
from engines.places import Sandbox
from logstream import RunLog

logger = logging.getLogger(__name__)

# A connection that ends a moment before its script is the usual end.
END_SECONDS = 1.0
RETRY_SECONDS = 1.0
# Reading the whole copy again: at most two files of twice the log cap.
REREAD_SECONDS = 120.0
# A first line older than the copy's oldest by more than this was rotated away.
ROTATION_SECONDS = 1.0


class Output:
    """Feeds the log of one run.

    Args:
        open_log: Opens the run's log on its spool; what is there is not written again.
    """

    def __init__(self, open_log: Callable[[], RunLog]) -> None:
        self._open_log = open_log
        self.log = open_log()
        self._whole = True
        """Whether every byte so far came over one unbroken connection."""

    def notice(self, text: str) -> None:
        """Write a line of the executor's own."""
        self.log.notice(text)

    def say(self, text: str, data: dict[str, Any]) -> None:
        """Write a structured line of the script."""
        self.log.say(text, data)

    def end(self) -> None:
        """Write nothing more: what the gateway has whole then goes from the disk."""
        self.log.close()
        self.log.complete()

    async def attach(self, sandbox: Sandbox) -> None:
        """Follow a sandbox that has not been started yet."""
        await sandbox.attach(self._feed)

    async def read_again(
        self, sandbox: Sandbox, cursors: dict[str, int], *, follow: bool
    ) -> None:
        """Read the output from its first byte into a fresh log.

        Args:
            sandbox: Whose output.
            cursors: Lines by stream that were read before, should the beginning have
                been rotated away meanwhile.
            follow: Whether to go on until the script ends.

        Raises:
            EngineUnavailable: The daemon does not answer.
        """
        sandbox.detach()
        self._whole = False
        self.log = log = self._open_log()
        known = log.written.first_timestamp
        if known is not None:
            oldest = await sandbox.first_output_at()
            if oldest is not None and oldest > known + ROTATION_SECONDS:
                log.skip_to(cursors)
        await sandbox.replay(self._feed, follow=follow)

    async def keep_up(self, sandbox: Sandbox) -> None:
        """Return after the connection broke and was made anew."""
        await asyncio.shield(sandbox.output_ended)
        await asyncio.wait([sandbox.exited], timeout=END_SECONDS)
        if sandbox.exited.done():
            return
        cursors = self.log.cursors
        try:
            if await sandbox.status() == "running":
                await self.read_again(sandbox, cursors, follow=True)
                self.notice("the connection to Docker was lost and made anew")
                return
        except (EngineUnavailable, SandboxFailed) as error:
            logger.info("waiting for the output of %s: %s", sandbox.name, error)
        await asyncio.wait([sandbox.exited], timeout=RETRY_SECONDS)

    async def drain(self, sandbox: Sandbox) -> None:
        """Return when everything that an ended script wrote is in the log."""
        if self._whole and await sandbox.drain():
            return
        before = self.log
        try:
            async with asyncio.timeout(REREAD_SECONDS):
                await self._read_to_the_end(sandbox, before.cursors)
        except (TimeoutError, SandboxFailed):
            if before.counts.lines > self.log.counts.lines:
                # What was followed live says more than what can be read now.
                self.log = before
            self.notice("the end of the output could not be read from Docker")

    async def _read_to_the_end(self, sandbox: Sandbox, cursors: dict[str, int]) -> None:
        while True:
            try:
                await self.read_again(sandbox, cursors, follow=False)
                await sandbox.output_ended
                return
            except EngineUnavailable:
                await asyncio.sleep(RETRY_SECONDS)

    def _feed(self, stream: Stream, data: bytes) -> None:
        # Looked up each time: the log may have been opened anew.
        self.log.feed(stream, data)
