"""Keeps the tables of webhooks small and sealed under the key of now."""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from gateway.errors import StorageFailed
from gateway.hooks import Hooks
from gateway.hooks_ledger import Ledger
from gateway.keys import signing_key

_INTERVAL_SECONDS = 60.0


class HookUpkeep:
    """Works once a minute; nothing depends on when."""

    def __init__(self, hooks: Hooks, ledger: Ledger, secret: Callable[[], str]) -> None:
        self._hooks = hooks
        self._ledger = ledger
        self._secret = secret
        self._sealed_with = ""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, with a first time now."""
        self._task = asyncio.create_task(self._run(), name="gateway-hooks")

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def work(self) -> None:
        """Do what is to be done; raises StorageFailed."""
        key = signing_key(self._secret())
        if key != self._sealed_with:
            await self._hooks.reseal()
            self._sealed_with = key
        await self._ledger.prune()

    async def _run(self) -> None:
        while True:
            try:
                await self.work()
            except StorageFailed:
                logging.getLogger(__name__).exception("Upkeep of webhooks waits")
            await asyncio.sleep(_INTERVAL_SECONDS)
