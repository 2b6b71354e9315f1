"""Removes what is ours and nobody claims; never touches anything else."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from contracts import names
from contracts.errors import CroniumError
from engines.docker.engine import DockerEngine
from engines.docker.sandbox import Sandbox
from engines.docker.standby import is_warm
from engines.places import NAME_PREFIX

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
            name = leftover.name
            # Asked anew for each: a run may have begun since the list was made.
            if await self._is_used(leftover):
                continue
            try:
                await Sandbox(self._engine.calls, name, "", None).remove()
            except CroniumError as error:
                logger.warning("leftover %s stays for now: %s", name, error)
                continue
            removed.append(name)
        for key in self._engine.directories.present():
            if key not in self._claimed() and not await self._exists(key):
                self._engine.directories.remove(key)
                removed.append(key)
        removed += await self._sweep_warm()
        removed += await self._engine.network.sweep()
        for name in removed:
            logger.info("removed the leftover %s", name)
        return removed

    async def _is_used(self, leftover: Leftover) -> bool:
        if is_warm(leftover.name):
            return self._engine.standby.ours(leftover.name)
        key = leftover.key
        if key in self._claimed() or self._is_probe_in_use(leftover):
            return True
        if await self._wanted(leftover.labels):
            return True
        return key in self._claimed() or self._stop(key)

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
            self._leftover(entry["Names"][0].lstrip("/"), entry["Labels"])
            for entry in found
            if entry.get("Names")
        ]

    def _leftover(self, name: str, labels: Mapping[str, str]) -> Leftover:
        if labels.get(names.LABEL_ROLE) != "warm" or is_warm(name):
            return Leftover(name, labels)
        # One that was made in advance has its run's name, and no labels of it.
        key = name.removeprefix(NAME_PREFIX)
        own = self._engine.directories.labels(key)
        return Leftover(name, {**labels, names.LABEL_RUN_KEY: key, **own})

    async def _sweep_warm(self) -> list[str]:
        """Remove the directories of waiting sandboxes that are not there any more."""
        known = {leftover.name for leftover in await self._containers()}
        return self._engine.standby.sweep(known)

    def _is_probe_in_use(self, leftover: Leftover) -> bool:
        """Whether it may be the proof of a worker that is just starting.

        One of another process that is still there at the next sweep is not; no clock
        is asked. Our own may take as long as a busy host takes.
        """
        if leftover.labels.get(names.LABEL_ROLE) != "probe":
            return False
        if leftover.key in self._engine.probes:
            return True
        new = leftover.name not in self._probes
        self._probes.add(leftover.name)
        return new

    async def _exists(self, key: str) -> bool:
        return any(leftover.key == key for leftover in await self._containers())
