"""`AsyncCronium`: the same calls for asyncio programs.

Each call waits in a thread of the loop's own pool, so nothing has to be installed and
calls that are awaited together run side by side.
"""

from __future__ import annotations

import asyncio
import functools

from cronium._client import NAMES, Cronium

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, AsyncIterable, AsyncIterator, Awaitable, Callable


class AsyncCronium(Cronium):
    """`Cronium` whose calls are coroutines; also an async context manager."""

    async def __aenter__(self) -> AsyncCronium:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        if self._channel is not None:
            self._channel.close()

    async def stream_input(self) -> AsyncIterator[Any]:
        """Yield the whole input once, unless it is empty."""
        data = await self._in_thread(Cronium.input)
        if data:
            yield data

    async def stream_output(self, items: AsyncIterable[Any]) -> None:
        """Collect the items and set the output to their list."""
        collected = [item async for item in items]
        await self._in_thread(Cronium.output, collected)

    async def _in_thread(
        self, method: Callable[..., Any], *args: Any, **kw: Any
    ) -> Any:
        # A plain `Cronium` with our very state: methods that call others of ours get
        # values from them, not coroutines.
        plain = Cronium.__new__(Cronium)
        plain.__dict__ = self.__dict__
        call = functools.partial(method, plain, *args, **kw)
        return await asyncio.get_event_loop().run_in_executor(None, call)


def _coroutine(method: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(method)
    async def call(self: AsyncCronium, *args: Any, **kw: Any) -> Any:
        return await self._in_thread(method, *args, **kw)

    return call


async def _sleep(self: AsyncCronium, seconds: float) -> None:
    """Wait that many seconds while other tasks go on."""
    await asyncio.sleep(seconds)


for _name in NAMES:
    setattr(AsyncCronium, _name, _coroutine(getattr(Cronium, _name)))
setattr(AsyncCronium, "sleep", _sleep)  # noqa: B010 (types differ on purpose)
