"""A container is started once, whatever the daemon says or does not say of it.

A daemon that is too busy to answer a start in time may carry it out all the same, some
time after nobody waits any more. So no answer is no "no": what became of the container
is looked at until it is known, and one that seems never to begin is taken away in a way
that cannot take away one that has.
"""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

from docker.errors import NotFound

from contracts.errors import EngineUnavailable, HostLost, SandboxFailed, StartUnknown
from engines.docker.calls import Calls

POLL_SECONDS = 0.2
# A daemon that answers again has done by then what it was asked for before.
SETTLE_SECONDS = 10.0
STILL_RUNS = "cannot remove a running container"


async def start(calls: Calls, name: str, patience: float) -> None:
    """Start a container, and return when it has begun.

    Args:
        calls: Connection to the daemon.
        name: The container.
        patience: Seconds that a daemon which does not answer is asked for.

    Raises:
        EngineUnavailable: The daemon did not answer; the container is gone, and has
            never begun.
        StartUnknown: The daemon does not answer any more: it may have begun.
        HostLost: It was taken away in the moment in which it began.
        SandboxFailed: The daemon refused.
    """
    try:
        await calls.run(lambda client: client.start(name))
    except EngineUnavailable:
        if not await _began(calls, name, patience) and await never_begins(calls, name):
            raise


async def never_begins(calls: Calls, name: str) -> bool:
    """Take away a container that has not begun; False when it has meanwhile.

    Raises:
        EngineUnavailable: The daemon does not answer.
        HostLost: It was taken away in the moment in which it began.
    """
    try:
        made = (await calls.run(lambda client: client.inspect_container(name)))["Id"]
        # Without force, the daemon refuses it for one that runs.
        await calls.run(lambda client: client.remove_container(name, v=True))
    except NotFound:
        return True
    except SandboxFailed as error:
        if STILL_RUNS in str(error).lower():
            return False
        raise
    if await _events_of_start(calls, made):
        raise HostLost(f"{name} was taken away in the moment in which it began")
    return True


async def _began(calls: Calls, name: str, patience: float) -> bool:
    """Return whether a container has begun, once that can be told.

    Raises:
        StartUnknown: It cannot.
    """
    give_up, settled = time.monotonic() + patience, 0.0
    while time.monotonic() < give_up:
        try:
            state = (await calls.run(lambda client: client.inspect_container(name)))[
                "State"
            ]
        except EngineUnavailable:
            settled = 0.0
        else:
            if not str(state.get("StartedAt", "0001")).startswith("0001"):
                return True
            settled = settled or time.monotonic() + SETTLE_SECONDS
            if time.monotonic() > settled:
                return False
        await asyncio.sleep(POLL_SECONDS)
    raise StartUnknown(f"Docker has not said whether {name} was started")


async def _events_of_start(calls: Calls, container: str) -> list[Any]:
    now = datetime.now(UTC)
    return await calls.run(
        lambda client: list(
            client.events(
                since=0,
                until=int(now.timestamp()) + 1,
                filters={"container": container, "event": "start"},
                decode=True,
            )
        )
    )
