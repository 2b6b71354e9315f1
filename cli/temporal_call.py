"""Run a command's work with a client of the stack's Temporal server."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from cli.options import load


def with_client(
    work: Callable[..., Awaitable[int]], config: Any, state_dir: Any, *arguments: Any
) -> int:
    """Return the exit status of `work(client, settings, *arguments)`.

    Raises:
        StackMissing: There is no Temporal server.
        ExecutionFailed: It does not answer as it should.
    """
    from temporalio.service import RPCError

    from cli.execution import ExecutionFailed, connect
    from cli.stack import require

    settings = load(config, state_dir)
    stack = require(settings)

    async def working() -> int:
        client = await connect(settings, stack)
        try:
            return await work(client, settings, *arguments)
        except RPCError as error:
            raise ExecutionFailed(f"Temporal: {error.message}") from error

    return asyncio.run(working())
