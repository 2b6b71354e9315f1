"""Makes sandboxes in advance on one Docker host, and gives one to a run."""

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from docker.errors import NotFound

from contracts import names
from contracts.errors import CroniumError, SandboxFailed
from engines.docker.calls import Calls
from engines.docker.gate import Gate, waiting_program
from engines.docker.rundir import LABELS, LAUNCHER, RunDirectories
from engines.docker.sandbox import Sandbox
from engines.docker.warm import Kind, Warm, WarmPool
from engines.places import NAME_PREFIX, SandboxSpec

logger = logging.getLogger(__name__)

NAME = NAME_PREFIX + "warm-"
COMMAND = ["/bin/sh", "-c", waiting_program(LAUNCHER)]
# A script that runs for longer does not mind what goes on beside it.
REFILL_SECONDS = 1.0
LABEL = {names.LABEL_ROLE: "warm"}

ConfigOf = Callable[[Kind, list[str], Path, dict[str, str]], dict[str, Any]]


def is_warm(name: str) -> bool:
    """Whether a container's name is that of one which no run has taken yet."""
    return name.startswith(NAME)


class Standby:
    """The sandboxes that wait for runs, of one Docker host.

    Args:
        calls: Connection to the daemon.
        directories: Where run directories are made.
        config_of: Returns the create body: kind, command, run directory, labels.
        size: How many are kept at most; 0 keeps none.
    """

    def __init__(
        self,
        calls: Calls,
        directories: RunDirectories,
        config_of: ConfigOf,
        size: int,
    ) -> None:
        self._calls = calls
        self._directories = directories
        self._config_of = config_of
        self.pool = WarmPool(size, self._make, self._discard)
        self._names: set[str] = set()
        self._soon: dict[str, tuple[Kind, asyncio.TimerHandle]] = {}

    async def adopt(
        self, spec: SandboxSpec, write: Callable[[dict[str, bytes]], object]
    ) -> Gate | None:
        """Make a waiting sandbox a run's own; None when there is none.

        Args:
            spec: The run; nothing of its name may exist.
            write: Writes the run's files, and those given, into its directory.

        Returns:
            The gate behind which the sandbox waits, by now with the run's name.
        """
        warm = await self.pool.take(Kind.of(spec))
        if warm is None:
            return None
        renaming: asyncio.Future[None] | None = None
        try:
            directory = self._directories.adopt(_id_of(warm), spec.run_key)
            warm.gate.move(directory)
            write({LABELS: json.dumps(spec.labels).encode()})
            renaming = asyncio.ensure_future(self._claim(warm, spec))
            await asyncio.shield(renaming)
        except (CroniumError, NotFound, OSError) as error:
            # A run can do without: it makes one for itself, and says what is wrong.
            logger.info("%s is not used: %s", warm.name, error)
            await self._give_up(warm, spec.run_key)
            return None
        except BaseException:
            if renaming is not None:
                # Whoever cancelled removes by the run's name what has that by then.
                await asyncio.wait([renaming])
            await self._give_up(warm, spec.run_key)
            raise
        self._names.discard(warm.name)
        return warm.gate

    def replace(self, spec: SandboxSpec) -> None:
        """Have a sandbox ready for the next of a kind: soon, not beside its start."""
        loop, kind = asyncio.get_running_loop(), Kind.of(spec)
        timer = loop.call_later(REFILL_SECONDS, self.ended, spec.run_key)
        self._soon[spec.run_key] = kind, timer

    def ended(self, run_key: str) -> None:
        """Make at once what was to be ready soon: the run has left its place."""
        kind, timer = self._soon.pop(run_key, (None, None))
        if kind is not None and timer is not None:
            timer.cancel()
            self.pool.refill(kind)

    async def close(self) -> None:
        """Remove all that wait; none are made any more."""
        await self.pool.close()
        for _, timer in self._soon.values():
            timer.cancel()

    def ours(self, name: str) -> bool:
        """Whether a waiting sandbox is one of this process's."""
        return name in self._names

    def sweep(self, present: Collection[str]) -> list[str]:
        """Remove directories without a container; return the names they had.

        Args:
            present: Names of the containers that there are.
        """
        gone = [
            name
            for name in self._directories.present_warm()
            if NAME + name not in present and not self.ours(NAME + name)
        ]
        for name in gone:
            self._directories.remove_warm(name)
        return [NAME + name for name in gone]

    async def _claim(self, warm: Warm, spec: SandboxSpec) -> None:
        image, _ = await asyncio.gather(
            self._image(spec.image),
            self._calls.run(lambda client: client.rename(warm.container, spec.name)),
        )
        if image != warm.image:
            raise SandboxFailed("its image was replaced")
        if not warm.gate.waiting:
            raise SandboxFailed("it has ended")

    async def _make(self, kind: Kind) -> Warm:
        name, directory = self._directories.create_warm()
        self._names.add(NAME + name)
        gate = Gate(directory)
        container = ""
        try:
            gate.make()
            config = self._config_of(kind, COMMAND, directory, LABEL)
            image = await self._image(kind.image)
            made = await self._calls.run(
                lambda client: client.create_container_from_config(config, NAME + name)
            )
            container = made["Id"]
            await self._calls.run(lambda client: client.start(container))
            await gate.reach()
        except BaseException:
            await self._remove(container or NAME + name)
            self._directories.remove_warm(name)
            self._names.discard(NAME + name)
            raise
        return Warm(NAME + name, container, image, gate)

    async def _image(self, name: str) -> str:
        found = await self._calls.run(lambda client: client.inspect_image(name))
        return str(found["Id"])

    async def _discard(self, warm: Warm) -> None:
        warm.gate.close()
        try:
            await self._remove(warm.container)
        finally:
            # What stays is the janitor's.
            self._directories.remove_warm(_id_of(warm))
            self._names.discard(warm.name)

    async def _give_up(self, warm: Warm, run_key: str) -> None:
        with contextlib.suppress(CroniumError):
            await self._discard(warm)
        self._directories.remove(run_key)

    async def _remove(self, container: str) -> None:
        await Sandbox(self._calls, container, "", None).remove()


def _id_of(warm: Warm) -> str:
    return warm.name.removeprefix(NAME)
