"""One application for the channels of all runs; each run has a socket of its own."""

import asyncio
import logging
import math
import time
from pathlib import Path
from typing import Any

from uvicorn.config import Config

from contracts.errors import SandboxFailed
from contracts.json_values import read_json
from contracts.limits import KIB
from engines.channel import plain
from engines.channel.calls import Call
from engines.channel.channel import Channel
from engines.channel.messages import (
    JSON_TYPE,
    Receive,
    Request,
    Scope,
    Send,
    failure,
    respond,
    success,
)
from engines.channel.protocol import ChannelProtocol, HangUp
from engines.channel.refusals import CallRefusedError, bad_request
from engines.channel.routes import find_route
from engines.channel.run import ChannelRun
from engines.channel.state import ChannelState
from engines.channel.variables import VariableStore
from engines.channel.watching import UNKNOWN_CALL, CallWatch

logger = logging.getLogger(__name__)

# A call above the rate waits this long for its refusal, so that a loop which does not
# heed it costs the worker next to nothing.
REFUSAL_SECONDS = 0.05
# Every so many bytes of a body count as one more call: parsing is what costs.
BYTES_PER_CALL = 32 * KIB
# Above this, bodies of all runs are parsed and checked one after the other, tens of
# milliseconds each, with time in between for whoever else has something small.
LARGE_BYTES = 64 * KIB
AIR_SECONDS = 0.01
# Calls that may have large bodies; they wait for nobody outside the worker.
OWN_CALLS = ("POST output", "POST logs")
# A head that never ends.
MAX_HEAD_BYTES = 32 * KIB
INTERNAL = CallRefusedError(500, "internal", "the worker met an unforeseen error")


class ChannelServer:
    """Opens channels.

    Args:
        variables: Where the variables of all users are.
        watch: Told of each call.
    """

    def __init__(
        self, variables: VariableStore, watch: CallWatch | None = None
    ) -> None:
        self._variables = variables
        self._watch = watch or CallWatch()
        self._large = asyncio.Lock()
        self._channels: set[Channel] = set()
        self._config = Config(
            self._answer,
            interface="asgi3",
            http="h11",
            ws="none",
            lifespan="off",
            proxy_headers=False,
            server_header=False,
            access_log=False,
            log_config=None,
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        )

    async def open(self, run: ChannelRun, path: Path) -> Channel:
        """Listen for the calls of one run.

        What the script said to an earlier life of the worker is taken over. The
        directory of `path` may be in use by a sandbox: a socket that was there before
        is replaced.

        Raises:
            SandboxFailed: The socket cannot be made, or the state not be saved.
        """
        state = await asyncio.to_thread(ChannelState.load, run.state_file)
        channel = Channel(run, state)

        def connected() -> asyncio.Protocol:
            if len(channel.connections.connections) >= 2 * run.limits.connections:
                # The worker's file descriptors are for all runs.
                return HangUp()
            app_state = {"channel": channel, "limits": run.limits}
            return ChannelProtocol(self._config, channel.connections, app_state)

        try:
            await channel.listen(path, connected)
        except OSError as error:
            raise SandboxFailed(
                f"the helper channel cannot be opened: {error.strerror}",
                hint="Check the worker's state and run directories and their disks.",
            ) from error
        self._channels.add(channel)
        return channel

    async def close(self, channel: Channel) -> ChannelState:
        """Close a channel; return what its script said."""
        self._channels.discard(channel)
        return await channel.close()

    async def close_all(self) -> None:
        """Close every channel; their states stay for the next life of the worker."""
        await asyncio.gather(*(self.close(channel) for channel in self._channels))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        channel: Channel = scope["state"]["channel"]
        request = Request(scope, receive)
        status, retry_after, began = 200, None, time.monotonic()
        try:
            async with asyncio.timeout(channel.run.limits.call_seconds):
                media_type, body = _succeeded(
                    request, *await self._do(channel, request)
                )
        except Exception as error:
            refusal = _refusal(channel.run, error)
            status, retry_after = refusal.status, refusal.retry_after
            media_type, body = _failed(request, refusal)
            await request.leave_body()
        seconds = time.monotonic() - began
        self._watch.answered(request.call or UNKNOWN_CALL, status, seconds)
        try:
            async with asyncio.timeout(channel.run.limits.call_seconds):
                await respond(
                    send,
                    status,
                    body,
                    media_type=media_type,
                    retry_after=retry_after,
                    close=request.unread,
                )
        except TimeoutError:
            # A peer that does not read: what waits for it is dropped with it.
            scope["state"]["abort"]()

    async def _do(self, channel: Channel, request: Request) -> tuple[str, bytes]:
        await _spend(channel)
        _authorise(channel, request)
        route = find_route(request.method, request.raw_path)
        request.call = route.name
        if route.execution_id not in (None, channel.run.execution_id):
            raise CallRefusedError(
                403, "forbidden", "this is another run's; use CRONIUM_EXECUTION_ID"
            )
        limits = channel.run.limits
        most = limits.body if route.name in OWN_CALLS else limits.small_body
        data = await request.body(most, limits.body_seconds)
        channel.bucket.charge(len(data) // BYTES_PER_CALL)

        async def call(body: dict[str, Any]) -> tuple[str, bytes]:
            made = Call(channel, self._variables, route, request, body)
            return route.name, await made.do()

        if len(data) <= LARGE_BYTES:
            return await call(_parsed(data))
        async with self._large:
            body = _parsed(data)
            await asyncio.sleep(AIR_SECONDS)
            if route.name in OWN_CALLS:
                try:
                    return await call(body)
                finally:
                    await asyncio.sleep(AIR_SECONDS)
        return await call(body)


async def _spend(channel: Channel) -> None:
    wait = channel.bucket.take()
    if wait:
        await asyncio.sleep(REFUSAL_SECONDS)
        most = channel.run.limits.calls_per_minute
        raise CallRefusedError(
            429,
            "rate_limited",
            f"more than {most} calls per minute; wait as long as Retry-After says",
            retry_after=math.ceil(wait),
        )


def _authorise(channel: Channel, request: Request) -> None:
    scheme, _, token = request.header(b"authorization").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise CallRefusedError(
            401,
            "unauthorized",
            "no token; send `Authorization: Bearer $CRONIUM_EXECUTION_TOKEN`",
        )
    if not channel.state.fits(token.strip()):
        raise CallRefusedError(
            401,
            "unauthorized",
            "the token is not this run's; use CRONIUM_EXECUTION_TOKEN as it is",
        )


def _parsed(data: bytes) -> dict[str, Any]:
    if not data:
        return {}
    try:
        value = read_json(data)
    except ValueError as error:
        raise bad_request(f"body: {error}") from None
    if not isinstance(value, dict):
        raise bad_request("body: expected a JSON object")
    return value


def _succeeded(request: Request, call: str, data: bytes) -> tuple[str, bytes]:
    text = plain.success(call, data) if plain.wanted(request) else None
    return (JSON_TYPE, success(data)) if text is None else (plain.MEDIA_TYPE, text)


def _failed(request: Request, refusal: CallRefusedError) -> tuple[str, bytes]:
    text = plain.failure(refusal.message) if plain.wanted(request) else None
    return (JSON_TYPE, failure(refusal)) if text is None else (plain.MEDIA_TYPE, text)


def _refusal(run: ChannelRun, error: Exception) -> CallRefusedError:
    if isinstance(error, CallRefusedError):
        return error
    if isinstance(error, TimeoutError):
        return _out_of_time(run)
    # Never with what was sent: it may hold secrets.
    logger.error("a call of %s failed", run.execution_id, exc_info=error)
    return INTERNAL


def _out_of_time(run: ChannelRun) -> CallRefusedError:
    seconds = run.limits.call_seconds
    return CallRefusedError(408, "timeout", f"the call took more than {seconds:g} s")
