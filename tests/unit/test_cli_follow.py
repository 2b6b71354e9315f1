"""Following a log: each line once and in order, whatever the connection does."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.asyncio.server import ServerConnection, serve

from cli.follow import LogFollower, LogUnavailable
from cli.stack import Stack
from contracts.logs import (
    LogLine,
    Stream,
    ViewerCutOff,
    ViewerEnd,
    ViewerLines,
    ViewerStatus,
)
from contracts.results import Status
from gateway.tokens import Scope, load_or_create_secret, verify

Script = Callable[[ServerConnection, int], Awaitable[None]]


def stack(tmp_path: Path, port: int) -> Stack:
    secret = tmp_path / "secret"
    load_or_create_secret(secret)
    url = f"http://127.0.0.1:{port}"
    return Stack(None, "default", url, url, None, secret)


def lines(first: int, last: int) -> str:
    return ViewerLines(
        lines=[
            LogLine(
                seq=seq,
                target="local",
                attempt=1,
                stream=Stream.STDOUT,
                stream_seq=seq,
                timestamp="2026-01-01T00:00:00Z",
                text=f"line {seq}",
            )
            for seq in range(first, last + 1)
        ]
    ).model_dump_json()


def end(last: int) -> str:
    return ViewerEnd(status=Status.SUCCESS, last_seq=last).model_dump_json()


async def follow(
    tmp_path: Path, script: Script, from_seq: int = 1
) -> tuple[list[int], LogFollower, list[int]]:
    """Follow a gateway that does what `script` says; return what was seen."""
    asked: list[int] = []

    async def answer(socket: ServerConnection) -> None:
        assert socket.request is not None
        url = urlsplit(socket.request.path)
        assert url.path == "/executions/x1/logs"
        scheme, token = socket.request.headers["Authorization"].split()
        claims = verify(load_or_create_secret(tmp_path / "secret"), token)
        assert (scheme, claims.scope, claims.subject) == (
            "Bearer",
            Scope.EXECUTION,
            "x1",
        )
        asked.append(int(parse_qs(url.query)["fromSeq"][0]))
        await script(socket, len(asked))

    async with serve(answer, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        follower = LogFollower(stack(tmp_path, port), "x1", from_seq)
        seen: list[int] = []
        async with asyncio.timeout(10):
            async for batch in follower.batches():
                seen += [line.seq for line in batch]
    return seen, follower, asked


async def test_a_whole_log_is_given_until_its_end(tmp_path: Path) -> None:
    async def script(socket: ServerConnection, _: int) -> None:
        await socket.send(ViewerStatus(status=Status.RUNNING).model_dump_json())
        await socket.send(lines(1, 3))
        await socket.send(lines(4, 5))
        await socket.send(end(5))

    seen, follower, asked = await follow(tmp_path, script)
    assert seen == [1, 2, 3, 4, 5]
    assert follower.end is not None
    assert follower.end.last_seq == 5
    assert asked == [1]


async def test_a_cut_off_reader_goes_on_where_it_is_told(tmp_path: Path) -> None:
    async def script(socket: ServerConnection, number: int) -> None:
        if number == 1:
            await socket.send(lines(1, 3))
            notice = ViewerCutOff(resume_from=4, reason="slow")
            await socket.send(notice.model_dump_json())
        else:
            await socket.send(lines(4, 6))
            await socket.send(end(6))

    seen, _, asked = await follow(tmp_path, script)
    assert seen == [1, 2, 3, 4, 5, 6]
    assert asked == [1, 4]


async def test_after_a_broken_connection_no_line_comes_twice(tmp_path: Path) -> None:
    async def script(socket: ServerConnection, number: int) -> None:
        if number == 1:
            await socket.send(lines(1, 3))
            socket.transport.abort()
        else:
            # A gateway may give more than was asked for.
            await socket.send(lines(2, 5))
            await socket.send(end(5))

    seen, _, asked = await follow(tmp_path, script)
    assert seen == [1, 2, 3, 4, 5]
    assert asked[1] in (1, 4)


async def test_a_reader_may_begin_in_the_middle(tmp_path: Path) -> None:
    async def script(socket: ServerConnection, _: int) -> None:
        await socket.send(lines(7, 9))
        await socket.send(end(9))

    seen, _, asked = await follow(tmp_path, script, from_seq=7)
    assert seen == [7, 8, 9]
    assert asked == [7]


@pytest.mark.parametrize(
    ("code", "words"), [(4401, "refused: too old"), (4404, "has no log")]
)
async def test_a_refusal_is_final(code: int, words: str, tmp_path: Path) -> None:
    async def script(socket: ServerConnection, _: int) -> None:
        await socket.close(code, "too old")

    with pytest.raises(LogUnavailable, match=words):
        await follow(tmp_path, script)


async def test_a_gateway_that_comes_late_is_waited_for(
    tmp_path: Path, free_port: int
) -> None:
    follower = LogFollower(stack(tmp_path, free_port), "x1")

    async def read() -> list[int]:
        return [line.seq async for batch in follower.batches() for line in batch]

    reading = asyncio.create_task(read())
    done, _ = await asyncio.wait((reading,), timeout=0.2)
    assert not done
    assert not follower.connected

    async def answer(socket: ServerConnection) -> None:
        await socket.send(lines(1, 2))
        await socket.send(end(2))

    async with serve(answer, "127.0.0.1", free_port), asyncio.timeout(10):
        assert await reading == [1, 2]
    assert follower.connected


async def test_without_the_key_it_is_said_which_file_is_missing(
    tmp_path: Path,
) -> None:
    there = stack(tmp_path, 1)
    (tmp_path / "secret").unlink()
    with pytest.raises(LogUnavailable, match="secret is not on this machine"):
        async for _ in LogFollower(there, "x1").batches():
            pass
    assert not (tmp_path / "secret").exists()
