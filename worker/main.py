"""`run_worker`: connect, prove the host, poll, drain on SIGTERM, leave cleanly."""

import asyncio
import contextlib
import fcntl
import logging
import signal
from collections.abc import Iterator
from pathlib import Path

from contracts.errors import CroniumError
from worker.app import WorkerApp, quiet_runtime
from worker.logging import configure
from worker.settings import Settings

logger = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StateInUse(CroniumError):
    """Another worker uses this state directory."""

    hint = "Stop it, or give this one its own CRONIUM_STATE_DIR."


def run_worker(settings: Settings) -> int:
    """Run a worker until it is told to stop.

    Returns:
        0 after a clean drain, 1 when it could not start or had to give up.
    """
    configure(settings.log_format, settings.log_level)
    quiet_runtime()
    try:
        with _only_one(settings.state_dir):
            asyncio.run(_serve(settings))
    except CroniumError as error:
        logger.error("%s %s", error, error.user_hint)
        return 1
    return 0


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, stop.set)
    await WorkerApp(settings).serve(stop)


@contextlib.contextmanager
def _only_one(state: Path) -> Iterator[None]:
    state.mkdir(parents=True, exist_ok=True)
    with (state / "worker.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateInUse(f"another worker runs with {state}") from None
        yield
