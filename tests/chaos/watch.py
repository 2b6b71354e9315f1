"""Every container of ours that the daemon made, started and removed, as it says it."""

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import docker
import requests

from contracts import names

ACTIONS = ("create", "start", "die", "destroy")


@dataclass(frozen=True)
class ContainerEvent:
    """One act of the daemon on a container of a run."""

    action: str
    container: str
    execution: str
    run_key: str
    exit_code: str | None
    at: float
    """Seconds since 1970, the daemon's clock."""


class ContainerWatch:
    """Keeps the daemon's events of one instance; a thread of its own reads them.

    Args:
        socket: The daemon's.
        instance: Whose containers.
    """

    def __init__(self, socket: str, instance: str) -> None:
        self._socket = socket
        self._instance = instance
        self._seen: set[tuple[str, str, int]] = set()
        self.events: list[ContainerEvent] = []
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._stop = threading.Event()
        self._listening = threading.Event()
        self._stream: docker.types.CancellableStream | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)

    async def start(self) -> None:
        """Return when nothing can be missed any more."""
        self._thread.start()
        await asyncio.to_thread(self._listening.wait, 20)

    async def close(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._stream is not None:
            with contextlib.suppress(Exception):
                self._stream.close()
        await asyncio.to_thread(self._thread.join, 5)

    def of(self, execution: str, action: str) -> list[ContainerEvent]:
        """Return what happened to the containers of an execution."""
        return [
            event
            for event in list(self.events)
            if event.execution == execution and event.action == action
        ]

    def starts(self) -> Counter[str]:
        """Return how often a container was started, by execution."""
        return Counter(e.execution for e in list(self.events) if e.action == "start")

    async def saw(
        self, action: str, execution: str, seconds: float = 30, count: int = 1
    ) -> None:
        """Wait until something happened to a container of an execution.

        Raises:
            AssertionError: It did not, in time.
        """
        await self.until(
            lambda: len(self.of(execution, action)) >= count,
            seconds,
            f"{action} of a container of {execution}",
        )

    async def until(self, holds: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait until the events fulfil a condition."""
        deadline = self._loop.time() + seconds
        while not holds():
            self._changed.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._changed.wait()
            except TimeoutError:
                raise AssertionError(f"not within {seconds:g} s: {what}") from None

    def _read(self) -> None:
        # Docker answers again with what it said since; a daemon that is restarted
        # under us has forgotten, but then so it has said all before its end.
        since = time.time() - 1
        while not self._stop.is_set():
            try:
                client = docker.APIClient(
                    base_url=f"unix://{self._socket}", version="auto"
                )
                self._stream = client.events(
                    since=f"{since:.3f}",
                    decode=True,
                    filters={
                        "type": "container",
                        "event": list(ACTIONS),
                        "label": f"{names.LABEL_INSTANCE}={self._instance}",
                    },
                )
                self._listening.set()
                for message in self._stream:
                    since = message["timeNano"] / 1e9
                    self._note(message)
            except (
                requests.RequestException,
                docker.errors.DockerException,
                OSError,
                ValueError,
                AttributeError,
            ):
                # ValueError and AttributeError: the SDK, when it is closed mid-read.
                self._stop.wait(0.1)

    def _note(self, message: dict[str, object]) -> None:
        actor = message["Actor"]
        assert isinstance(actor, dict)
        labels = actor["Attributes"]
        key = (str(message["Action"]), actor["ID"], int(str(message["timeNano"])))
        if labels.get(names.LABEL_EXECUTION) is None or key in self._seen:
            return
        self._seen.add(key)
        self.events.append(
            ContainerEvent(
                action=key[0],
                container=key[1],
                execution=labels[names.LABEL_EXECUTION],
                run_key=labels.get(names.LABEL_RUN_KEY, ""),
                exit_code=labels.get("exitCode"),
                at=key[2] / 1e9,
            )
        )
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._changed.set)
