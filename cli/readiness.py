"""Wait until every part of a local stack answers, and say which one does not."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from cli.record import StackRecord

POLL_SECONDS = 0.1
CALL_SECONDS = 2.0
PARTS = ("temporal", "gateway", "worker")


class Readiness:
    """Asks the parts of a stack until all of them are ready.

    Args:
        stack: Where they are.
    """

    def __init__(self, stack: StackRecord) -> None:
        self._stack = stack
        parts = (*PARTS, "codec") if stack.codec else PARTS
        self.waiting: dict[str, str] = dict.fromkeys(parts, "does not answer yet")
        """Part → why it is not ready."""

    async def wait(
        self, seconds: float, keep_on: Callable[[], bool] = lambda: True
    ) -> bool:
        """Return whether all parts became ready in time.

        Args:
            seconds: How long to wait.
            keep_on: Waiting ends early when this says False.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and keep_on():
            await self._ask()
            if not self.waiting:
                return True
            await asyncio.sleep(POLL_SECONDS)
        return False

    async def _ask(self) -> None:
        for part in tuple(self.waiting):
            problem = await self._problem(part)
            if problem is None:
                del self.waiting[part]
            else:
                self.waiting[part] = problem

    async def _problem(self, part: str) -> str | None:
        if part == "temporal":
            return await temporal_problem(self._stack.temporal)
        return await http_problem(getattr(self._stack, part) + "/ready")


async def temporal_problem(address: str) -> str | None:
    """Return why the Temporal server at an address is not ready, or None."""
    from temporalio.client import Client
    from temporalio.service import RPCError

    try:
        async with asyncio.timeout(CALL_SECONDS):
            client = await Client.connect(address)
            if await client.service_client.check_health():
                return None
    except (RuntimeError, RPCError, TimeoutError):
        pass
    return f"no answer at {address}"


async def http_problem(url: str) -> str | None:
    """Return why the server of a /ready address is not ready, or None."""
    import httpx

    from cli.http import http_client

    try:
        async with http_client(url, CALL_SECONDS) as client:
            answer = await client.get(url)
    except httpx.HTTPError:
        return f"no answer at {url}"
    return None if answer.is_success else _reasons(answer)


def _reasons(answer: Any) -> str:
    """Return what a part says of itself: `problems` or those `checks` not ok."""
    try:
        body = answer.json()
        named = body.get("problems") or body.get("checks") or {}
        found = [f"{part}: {why}" for part, why in named.items() if why != "ok"]
    except (ValueError, AttributeError):
        found = []
    return "; ".join(found) or f"answers with status {answer.status_code}"
