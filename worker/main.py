"""`run_worker`: connect, prove the host, poll, drain on SIGTERM, leave cleanly."""

import asyncio
import contextlib
import fcntl
import gc
import logging
import os
import signal
from collections.abc import AsyncIterator
from typing import TextIO

from contracts.errors import CroniumError
from worker.app import WorkerApp
from worker.audit import write_audit
from worker.leaving import MARGIN_SECONDS, leaves_after
from worker.logging import configure
from worker.metrics_sdk import SdkMetrics, begin_runtime
from worker.settings import Settings

logger = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)
# As a shell says that a signal ended a process.
EXIT_SIGNAL = 128
STANDBY_SECONDS = 0.05


class StateInUse(CroniumError):
    """Another worker uses this state directory."""

    hint = (
        "Stop it, give this one its own CRONIUM_STATE_DIR, or let it wait with "
        "CRONIUM_WORKER_STANDBY=true."
    )


def run_worker(settings: Settings) -> int:
    """Run a worker until it is told to stop.

    The first signal hands running scripts over to the next worker process; a second
    one ends this process at once, which loses nothing either.

    Returns:
        0 after a clean drain, 1 when it could not start or had to give up.
    """
    configure(settings.log_format, settings.log_level)
    # What is loaded by now stays. To search it for garbage would hold up everything in
    # the process for a tenth of a second and more, each time.
    gc.freeze()
    try:
        write_audit(settings.audit.log)
        asyncio.run(_serve(settings, begin_runtime()))
    except CroniumError as error:
        logger.error("%s %s", error, error.user_hint)
        return 1
    return 0


async def _serve(settings: Settings, sdk: SdkMetrics) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    longest = leaves_after(settings.worker.drain_timeout + MARGIN_SECONDS, loop)

    def on_signal(number: int) -> None:
        if stop.is_set():
            logger.warning("a second signal: leaving at once")
            os._exit(EXIT_SIGNAL + number)
        stop.set()
        longest.start()

    for number in SIGNALS:
        loop.add_signal_handler(number, on_signal, number)
    async with _only_one(settings, stop) as mine:
        try:
            if mine:
                await WorkerApp(settings, sdk).serve(stop)
        finally:
            longest.cancel()


@contextlib.asynccontextmanager
async def _only_one(settings: Settings, stop: asyncio.Event) -> AsyncIterator[bool]:
    """Hold the state directory; False when told to stop while waiting for it.

    The kernel gives the lock back when a process ends, however it ends. So whoever
    has it knows that no other worker writes here.
    """
    state = settings.state_dir
    state.mkdir(parents=True, exist_ok=True)
    with (state / "worker.lock").open("w") as lock:
        waits = False
        while not _locked(lock):
            if not settings.worker.standby:
                raise StateInUse(f"another worker runs with {state}")
            if not waits:
                logger.info("standing by: another worker runs with %s", state)
                waits = True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), STANDBY_SECONDS)
            if stop.is_set():
                yield False
                return
        yield True


def _locked(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
