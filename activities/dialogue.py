"""What a script and its worker say to each other while it runs: the helper channel.

What the script says (output, condition, progress) is kept by the channel in a file of
the worker's, so it outlives the process. Structured lines go into the run's log.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.errors import CroniumError
from engines.channel import (
    Channel,
    ChannelRun,
    ChannelServer,
    ChannelState,
    LogLevel,
    Progress,
)
from engines.channel.run import SOCKET_NAME

logger = logging.getLogger(__name__)

# People see no more than this, and a loop that reports each step must not fill the log.
PROGRESS_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Given:
    """What a script gave back."""

    output: Any = None
    condition: bool | None = None


Say = Callable[[str, dict[str, Any]], None]


class Reports:
    """Turns what a script reports into lines of its log, not too many.

    Args:
        say: Takes a line's text and data.
    """

    def __init__(self, say: Say) -> None:
        self._say = say
        self.progress: Progress | None = None
        self._shown: Progress | None = None
        self._pause: asyncio.TimerHandle | None = None

    def log(self, level: LogLevel, message: str, fields: dict[str, Any]) -> None:
        """Write a structured line."""
        shown = " ".join(f"{key}={_shown(value)}" for key, value in fields.items())
        text = f"{level.upper()} {message} {shown}".rstrip()
        self._say(text, {"level": level.value, "fields": fields})

    def advance(self, progress: Progress) -> None:
        """Note how far the script is; the newest word is always shown in the end."""
        self.progress = progress
        if self._pause is None:
            self._write()

    def flush(self) -> None:
        """Show what waits, at the end of the run."""
        if self._pause is not None:
            self._pause.cancel()
            self._go_on()

    def _go_on(self) -> None:
        self._pause = None
        if self.progress is not self._shown:
            self._write()

    def _write(self) -> None:
        progress = self._shown = self.progress
        assert progress is not None
        share = "" if progress.fraction is None else f"{progress.fraction:.0%}"
        data = {"fraction": progress.fraction, "text": progress.text}
        self._say(f"{share} {progress.text}".strip(), {"progress": data})
        loop = asyncio.get_running_loop()
        self._pause = loop.call_later(PROGRESS_SECONDS, self._go_on)


class Dialogue:
    """The channel of one run, opened beside its sandbox.

    Args:
        server: Opens channels.
        run: Who the script is; its `state_file` outlives the process.
        directory: The run's directory on the host.
        reports: Where the run's callbacks lead.
    """

    def __init__(
        self,
        server: ChannelServer,
        run: ChannelRun,
        directory: Path,
        reports: Reports,
    ) -> None:
        self._server = server
        self._run = run
        self._reports = reports
        self._socket = directory / SOCKET_NAME
        self._channel: Channel | None = None

    @property
    def progress(self) -> Progress | None:
        """How far the script says that it is."""
        known = self._channel.state.progress if self._channel else None
        return self._reports.progress or known

    async def open(self) -> None:
        """Listen for the script's calls.

        Raises:
            SandboxFailed: The socket cannot be made.
        """
        self._channel = await self._server.open(self._run, self._socket)

    async def reopen(self) -> None:
        """Listen again for a script that runs already; one without a helper runs on."""
        try:
            await self.open()
        except CroniumError as error:
            logger.warning("%s", error)

    async def close(self) -> None:
        """Listen no more; what was said is kept for the next process."""
        channel, self._channel = self._channel, None
        if channel is not None:
            await self._server.close(channel)

    async def end(self) -> Given:
        """Listen no more, and return what the script gave back."""
        await self.close()
        self._reports.flush()
        state = await asyncio.to_thread(ChannelState.load, self._run.state_file)
        output = None if state.output is None else json.loads(state.output)
        return Given(output, state.condition)

    def forget(self) -> None:
        """Remove what was kept; the outcome has it."""
        ChannelState.remove(self._run.state_file)


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return json.dumps(text, ensure_ascii=False) if " " in text else text
