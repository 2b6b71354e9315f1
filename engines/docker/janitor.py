"""Removes what is ours and nobody claims; never touches anything else."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from contracts import names
from contracts.errors import CroniumError
from engines.docker.engine import DockerEngine
from engines.docker.sandbox import Sandbox

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Leftover:
    """A container of ours."""

    name: str
    labels: Mapping[str, str]

    @property
    def key(self) -> str:
        """The run it belongs to."""
        return self.labels.get(names.LABEL_RUN_KEY, "")


class Janitor:
    """Finds leftovers by our labels, on one host.

    Args:
        engine: The host's engine.
        claimed: Returns the run keys that somebody is working on.
        wanted: Whether somebody will come for the run with these labels, on which
            nobody here is working.
        stop: Stops a run at its owner's; False when it has none here.
    """

    def __init__(
        self,
        engine: DockerEngine,
        claimed: Callable[[], frozenset[str]],
        wanted: Callable[[Mapping[str, str]], Awaitable[bool]],
        stop: Callable[[str], bool],
    ) -> None:
        self._engine = engine
        self._claimed = claimed
        self._wanted = wanted
        self._stop = stop
        self._probes: set[str] = set()

    async def sweep(self) -> list[str]:
        """Remove every container and run directory of ours that nobody claims.

        And networks of instances whose owner is proven to be dead.

        Returns:
            The names of what was removed.
        """
        removed = []
        for leftover in await self._containers():
            name, key = leftover.name, leftover.key
            # Asked anew for each: a run may have begun since the list was made.
            if key in self._claimed() or self._is_new_probe(leftover):
                continue
            if await self._wanted(leftover.labels):
                continue
            if key in self._claimed() or self._stop(key):
                continue
            try:
                await Sandbox(self._engine.calls, name, key, None).remove()
            except CroniumError as error:
                logger.warning("leftover %s stays for now: %s", name, error)
                continue
            removed.append(name)
        for key in self._engine.directories.present():
            if key not in self._claimed() and not await self._exists(key):
                self._engine.directories.remove(key)
                removed.append(key)
        removed += await self._engine.network.sweep()
        for name in removed:
            logger.info("removed the leftover %s", name)
        return removed

    async def _containers(self) -> list[Leftover]:
        filters = {
            "label": [
                f"{names.LABEL_INSTANCE}={self._engine.config.instance}",
                f"{names.LABEL_HOST}={self._engine.config.host_id}",
            ]
        }
        found = await self._engine.calls.run(
            lambda client: client.containers(all=True, filters=filters)
        )
        return [
            Leftover(entry["Names"][0].lstrip("/"), entry["Labels"])
            for entry in found
            if entry.get("Names")
        ]

    def _is_new_probe(self, leftover: Leftover) -> bool:
        """Whether it may be the proof of a worker that is just starting.

        One that is still there at the next sweep is not; no clock is asked.
        """
        if leftover.labels.get(names.LABEL_ROLE) != "probe":
            return False
        new = leftover.name not in self._probes
        self._probes.add(leftover.name)
        return new

    async def _exists(self, key: str) -> bool:
        return any(leftover.key == key for leftover in await self._containers())
