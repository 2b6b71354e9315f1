"""A worker that was told to stop leaves in bounded time, whatever hangs in it.

What its scripts do is safe with Docker, the servers and Temporal: it is found again as
it is after a process that was killed. Staying for ever is what would do harm: the host
takes nothing new, and whoever deploys waits.
"""

import asyncio
import logging
import threading

from worker.exit import leave

logger = logging.getLogger(__name__)

# Beyond the drain: the last lines of log, the sandboxes and the network are let go of
# within a few seconds each.
MARGIN_SECONDS = 18.0
FRAMES = 6


def leaves_after(seconds: float, loop: asyncio.AbstractEventLoop) -> threading.Timer:
    """Return a timer that ends this process with status 1, unless it is cancelled.

    A thread of its own does it: an event loop that is stuck would not come to it.

    Args:
        seconds: From the timer's start on.
        loop: The loop whose unfinished tasks are named in the log.
    """
    timer = threading.Timer(seconds, _leave, (seconds, loop))
    timer.daemon = True
    return timer


def _leave(seconds: float, loop: asyncio.AbstractEventLoop) -> None:
    logger.error(
        "not done %g s after the signal: leaving now, as after a crash; the next worker"
        " goes on with what runs. Still at work: %s",
        seconds,
        "; ".join(unfinished(loop)) or "nothing that can be seen",
    )
    leave(1)


def unfinished(loop: asyncio.AbstractEventLoop) -> list[str]:
    """Return what each unfinished task of a loop is waiting at, innermost call last."""
    return sorted(_place(task) for task in asyncio.all_tasks(loop) if not task.done())


def _place(task: "asyncio.Task[object]") -> str:
    # Frames of the chain of awaits; a task's own stack shows the outermost alone.
    frames: list[str] = []
    waiting: object = task.get_coro()
    while waiting is not None and len(frames) < FRAMES:
        frame = getattr(waiting, "cr_frame", None)
        if frame is None:
            break
        frames.append(f"{frame.f_code.co_qualname}:{frame.f_lineno}")
        waiting = getattr(waiting, "cr_await", None)
    return " > ".join(frames) or task.get_name()
