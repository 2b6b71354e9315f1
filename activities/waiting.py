"""Waiting for the first of several things, some of which are only events."""

import asyncio
import math
from typing import Any


async def first_of(
    *awaited: "asyncio.Future[Any] | asyncio.Event",
    timeout: float | None = None,
) -> None:
    """Return when one of them is done, or after the time."""
    waits = [
        asyncio.ensure_future(one.wait()) if isinstance(one, asyncio.Event) else one
        for one in awaited
    ]
    limit = None if timeout is None or math.isinf(timeout) else max(0.0, timeout)
    try:
        await asyncio.wait(waits, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait, one in zip(waits, awaited, strict=True):
            if isinstance(one, asyncio.Event):
                wait.cancel()
