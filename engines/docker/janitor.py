"""Removes what is ours and nobody claims; never touches anything else."""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from contracts import names
from contracts.errors import CroniumError
from engines.docker.engine import DockerEngine
from engines.docker.sandbox import Sandbox
from engines.places import NAME_PREFIX

logger = logging.getLogger(__name__)

PROBE_SECONDS = 120.0


class Janitor:
    """Finds leftovers by our labels, on one host.

    Args:
        engine: The host's engine.
        claimed: Returns the run keys that somebody is working on.
        wanted: Whether somebody will come for a run that nobody is working on.
        stop: Stops a run at its owner's; False when it has none here.
    """

    def __init__(
        self,
        engine: DockerEngine,
        claimed: Callable[[], frozenset[str]],
        wanted: Callable[[str], Awaitable[bool]],
        stop: Callable[[str], bool],
    ) -> None:
        self._engine = engine
        self._claimed = claimed
        self._wanted = wanted
        self._stop = stop

    async def sweep(self) -> list[str]:
        """Remove every container and run directory of ours that nobody claims.

        Returns:
            The names of what was removed.
        """
        removed = []
        for name, key in await self._containers():
            # Asked anew for each: a run may have begun since the list was made.
            if key in self._claimed() or await self._wanted(key):
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
        for name in removed:
            logger.info("removed the leftover %s", name)
        return removed

    async def _containers(self) -> list[tuple[str, str]]:
        filters = {
            "label": [
                f"{names.LABEL_INSTANCE}={self._engine.config.instance}",
                f"{names.LABEL_HOST}={self._engine.config.host_id}",
            ]
        }
        found = await self._engine.calls.run(
            lambda client: client.containers(all=True, filters=filters)
        )
        young = time.time() - PROBE_SECONDS
        return [
            (
                entry["Names"][0].lstrip("/"),
                entry["Labels"].get(names.LABEL_RUN_KEY, ""),
            )
            for entry in found
            if entry.get("Names") and not _just_begun(entry, young)
        ]

    async def _exists(self, key: str) -> bool:
        wanted = NAME_PREFIX + key
        return any(name == wanted for name, _ in await self._containers())


def _just_begun(entry: dict[str, Any], young: float) -> bool:
    """Whether this is the proof of a worker that is just starting."""
    probe = entry["Labels"].get(names.LABEL_ROLE) == "probe"
    return probe and float(entry["Created"]) > young
