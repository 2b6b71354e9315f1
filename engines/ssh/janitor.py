"""Removes what ended or abandoned runs left on servers; never touches anything else.

A server is looked at when another run was met on it, or when this worker knows that it
left one there. Whose a run is says the label in its directory; whether anybody still
wants it, only Temporal knows. What nobody wants is stopped and removed.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from contracts import names
from contracts.errors import CroniumError
from contracts.server_errors import SshUnavailable
from contracts.servers import ServerSpec
from engines.ssh.place import SshPlace

logger = logging.getLogger(__name__)

# Servers that are looked at side by side; runs come first.
AT_ONCE = 4
# A server that is away is looked for less and less often, and in the end no more: its
# next run finds what is there.
LONGEST_WAIT = 3600.0
# One that answers is looked at so often at least while a run on it may become nobody's.
WANTED_INTERVALS = 4
PATIENCE_SECONDS = 7 * 86_400.0
# What only another worker may know of is no cause to look more often.
LOOK_AGAIN_SECONDS = 600.0
GRACE_SECONDS = 5.0


@dataclass(slots=True)
class Due:
    """A server that is to be looked at."""

    server: ServerSpec
    at: float
    since: float
    wait: float


class ServerJanitor:
    """Looks after the servers of one worker.

    Args:
        place: Returns a server as a place where scripts run.
        known: Returns the run keys that this worker has something to do with.
        wanted: Whether somebody will come for the run with these labels.
        interval: Seconds until a server is looked at, and between two looks.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        place: Callable[[ServerSpec], SshPlace],
        known: Callable[[], frozenset[str]],
        wanted: Callable[[Mapping[str, str]], Awaitable[bool]],
        interval: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._place = place
        self._known = known
        self._wanted = wanted
        self._interval = interval
        self._clock = clock
        self._due: dict[str, Due] = {}
        self._looked: dict[str, float] = {}

    @property
    def due(self) -> int:
        """How many servers are to be looked at."""
        return len(self._due)

    def met(self, server: ServerSpec, keys: list[str]) -> None:
        """Note that other runs are on a server: somebody's, or nobody's."""
        strangers = set(keys) - self._known()
        looked = self._looked.get(_name(server))
        if looked is not None and self._clock() - looked < LOOK_AGAIN_SECONDS:
            return
        if strangers:
            self._note(server)

    def left(self, server: ServerSpec) -> None:
        """Note that something was left on a server that could not be reached."""
        self._note(server)
        # However rarely it was looked at because of what was there before.
        due = self._due[_name(server)]
        due.wait = self._interval
        due.at = min(due.at, self._clock() + self._interval)

    async def sweep(self) -> list[str]:
        """Look at the servers whose time has come.

        Returns:
            The keys of the runs that are gone now.
        """
        now = self._clock()
        self._looked = {
            name: at
            for name, at in self._looked.items()
            if now - at < LOOK_AGAIN_SECONDS
        }
        turns, removed = asyncio.Semaphore(AT_ONCE), list[str]()

        async def look(name: str, due: Due) -> None:
            async with turns:
                removed.extend(await self._look(name, due))

        ready = [(name, due) for name, due in self._due.items() if due.at <= now]
        await asyncio.gather(*(look(name, due) for name, due in ready))
        return removed

    def _note(self, server: ServerSpec) -> None:
        now, wait = self._clock(), self._interval
        due = self._due.setdefault(_name(server), Due(server, now + wait, now, wait))
        due.server = server  # its credentials may be newer

    async def _look(self, name: str, due: Due) -> list[str]:
        longest = LONGEST_WAIT
        try:
            removed, undecided = await self._clean(due)
            # Its run is over sooner or later, and then nothing may be left for long.
            longest = self._interval * WANTED_INTERVALS
        except SshUnavailable as error:
            logger.info("%s is swept later: %s", name, error)
            removed, undecided = [], True
        except CroniumError as error:
            # A server that refuses us is not asked again and again.
            logger.warning("%s is not swept: %s", name, error)
            removed, undecided = [], False
        now = self._clock()
        due.at = now + due.wait
        due.wait = min(due.wait * 2, longest)
        self._looked[name] = now
        if not undecided or now - due.since > PATIENCE_SECONDS:
            self._due.pop(name, None)
        return removed

    async def _clean(self, due: Due) -> tuple[list[str], bool]:
        """Return what was removed, and whether something may be removed later."""
        place, removed, undecided = self._place(due.server), list[str](), False
        for found in await place.runs():
            key = found.run_key
            if key in self._known():
                continue
            labels = await place.labels(key)
            if labels.get(names.LABEL_RUN_KEY) != key:
                continue
            # Asked last: a run may have been begun since the list was made.
            if await self._wanted(labels) or key in self._known():
                undecided = True
                continue
            sandbox = place.sandbox(key)
            if found.running:
                left = await sandbox.end(GRACE_SECONDS)
                if left:
                    logger.warning("of %s on %s is left: %s", key, place.name, left)
            await sandbox.remove()
            logger.info("removed the leftover %s on %s", key, place.name)
            removed.append(key)
        return removed, undecided


def _name(server: ServerSpec) -> str:
    run_as = f" as {server.run_as.user}" if server.run_as else ""
    return f"{server.username}@{server.address}:{server.port}{run_as}"
