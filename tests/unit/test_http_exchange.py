"""Answers of every kind, from real servers: slow, broken, huge, redirecting."""

import asyncio
import email.utils
import gzip
import json
import socket
import time
import tracemalloc
import zlib
from typing import Any

import anyio
import anyio.abc
import pytest

from contracts import limits
from contracts.http_response import HttpResponse
from engines.http import AddressPolicy, HttpConfig
from engines.http.engine import fitting
from tests.http_servers import LOOPBACK, Seen, event_of, ok, redirect, send, serving

TOKEN = "s3cr3t-t0k3n"
BEARER = {"kind": "bearer", "token": {"secret": "TOKEN"}}
SECRETS = {"TOKEN": TOKEN}


async def test_an_answer_is_kept_whole() -> None:
    body = json.dumps({"a": [1, "ü"]}).encode()
    answer = ok(body, "Content-Type: application/problem+json", "X-A: 1", "x-a: 2")
    async with serving(answer) as server:
        sent = await send(event_of(server.url + "/p"))
    got = sent.end.response
    assert (sent.error, got.status, got.reason) == (None, 200, "OK")
    assert [(h.name, h.value) for h in got.headers][2:] == [("X-A", "1"), ("x-a", "2")]
    assert got.json_value == {"a": [1, "ü"]}
    assert (got.body.encode(), got.body_bytes, got.truncated) == (
        body,
        len(body),
        False,
    )
    assert (got.url, got.attempts, got.redirects) == (server.url + "/p", 1, [])
    assert got.timing.dns_ms is not None
    assert got.timing.connect_ms is not None
    assert got.timing.first_byte_ms is not None
    assert got.timing.tls_ms is None
    assert got.model_dump(mode="json")["json"] == {"a": [1, "ü"]}


async def test_the_log_shows_request_and_answer() -> None:
    answer = ok(b"line 1\nline 2\n", "Set-Cookie: sid=abc", "X-A: 1")
    async with serving(answer) as server:
        sent = await send(
            event_of(server.url + "/p", method="POST", body="abc", auth=BEARER),
            secrets=SECRETS,
        )
    lines = sent.lines
    assert lines[0] == f"> POST {server.url}/p"
    assert "> Authorization: ***" in lines
    assert "> (3 bytes of body)" in lines
    answer_at = lines.index("< 200 OK")
    assert lines[answer_at + 1 :] == [
        "< Content-Length: 14", "< Set-Cookie: ***", "< X-A: 1", "line 1", "line 2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "patterns", "error", "retryable"),
    [
        ("404 Not Found", ["2xx"], "HttpStatus", False),
        ("404 Not Found", ["2xx", 404], None, None),
        ("204 No Content", ["200-204"], None, None),
        ("205 Reset", ["200-204"], "HttpStatus", False),
        ("500 Oops", ["2xx"], "HttpStatus", True),
        ("429 Slow", ["2xx"], "HttpStatus", True),
        ("200 OK", ["4XX"], "HttpStatus", False),
        ("302 Found", ["3xx"], None, None),
    ],
)
async def test_the_event_decides_what_success_is_and_the_answer_is_kept(
    status: str, patterns: list[Any], error: str | None, retryable: bool | None
) -> None:
    body = b"" if status.startswith("204") else b"the reason"
    async with serving(ok(body, status=status)) as server:
        sent = await send(event_of(server.url, successStatuses=patterns))
    assert sent.error == error
    assert sent.end.response.status == int(status[:3])
    assert sent.end.response.body == body.decode()
    if sent.end.error is not None:
        assert sent.end.error.retryable is retryable


@pytest.mark.parametrize("when", ["head", "body"])
async def test_a_server_that_stops_answering_times_out_and_leaves_what_it_said(
    when: str,
) -> None:
    async def answer(_: Seen, writer: asyncio.StreamWriter) -> bytes:
        if when == "body":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            await writer.drain()
        await asyncio.Event().wait()
        return b""

    async with serving(answer) as server:
        sent = await send(event_of(server.url, timeouts={"readSeconds": 0.3}))
    assert sent.error == "HttpTimeout"
    assert sent.end.error is not None
    assert "0.3 s, waiting for the answer" in sent.end.error.message
    assert "readSeconds" in sent.end.error.hint
    got = sent.end.response
    expected = (200, "half", True) if when == "body" else (0, "", False)
    assert (got.status, got.body, got.truncated) == expected


async def test_a_server_that_drips_is_stopped_by_the_event_s_timeout() -> None:
    async def answer(_: Seen, writer: asyncio.StreamWriter) -> bytes:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with serving(answer) as server:
        begun = time.monotonic()
        sent = await send(event_of(server.url, timeout=0.6))
    assert time.monotonic() - begun < 5
    assert sent.error == "HttpTimeout"
    assert sent.end.error is not None
    assert "event.timeoutSeconds" in sent.end.error.hint
    assert set(sent.end.response.body) == {"."}


async def test_a_server_that_does_not_take_the_request_times_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect: Any = anyio.connect_tcp

    async def narrowly(*where: Any, **more: Any) -> Any:
        # The kernel would take the whole request, and nobody would have to wait.
        stream = await connect(*where, **more)
        raw = stream.extra(anyio.abc.SocketAttribute.raw_socket)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        return stream

    monkeypatch.setattr(anyio, "connect_tcp", narrowly)
    taken = asyncio.Event()

    async def never_read(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await taken.wait()
        writer.close()

    narrow = socket.create_server(("127.0.0.1", 0))
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listener = await asyncio.start_server(never_read, sock=narrow, limit=1024)
    port = narrow.getsockname()[1]
    try:
        event = event_of(
            f"http://127.0.0.1:{port}/",
            method="POST",
            body={"kind": "json", "content": ["{{ input }}"] * 2},
            timeouts={"writeSeconds": 0.3},
        )
        sent = await send(event, data="x" * 900_000)
    finally:
        taken.set()
        listener.close()
    assert sent.error == "HttpTimeout"
    assert "for the server to take the request" in str(sent.end.error)


async def test_nobody_there_is_said_with_the_reason() -> None:
    async with serving(ok()) as server:
        url = server.url
    sent = await send(event_of(url))
    assert sent.error == "HttpConnectFailed"
    assert sent.end.error is not None
    assert "127.0.0.1: Connection refused" in sent.end.error.message
    assert sent.end.error.retryable
    assert sent.end.response.status == 0


async def test_a_name_that_does_not_exist_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    sent = await send(event_of("http://no-such-host.invalid/"))
    assert sent.error == "HttpNameUnknown"
    assert sent.end.error is not None
    assert "no-such-host.invalid" in sent.end.error.message
    too_long = await send(event_of(f"http://{'x' * 64}.invalid/"))
    assert too_long.error == "HttpNameUnknown"


HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"", ""),
        (b"not http at all\r\n\r\n", ""),
        (HEAD + b"4\r\ngood\r\nZZ\r\nbad", "good"),
        (HEAD + b"4\r\ngood\r\n9\r\nshort", "goodshort"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "short"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", ""),
        (b"HTTP/1.1 200 OK\r\nX-Big: " + b"x" * 300_000 + b"\r\n\r\n", ""),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 40_000 + b"\r\n", ""),
        (ok(b"no gzip", "Content-Encoding: gzip"), ""),
        (ok(gzip.compress(b"x" * 9999, mtime=0)[:-9], "Content-Encoding: gzip"), None),
    ],
)
async def test_a_broken_answer_is_an_error_of_its_own(
    answer: bytes, body: str | None
) -> None:
    async with serving(answer) as server:
        sent = await send(event_of(server.url))
    assert sent.error == "HttpResponseBroken"
    assert sent.end.error is not None
    assert sent.end.error.retryable
    if body is not None:
        assert sent.end.response.body == body


def bare(data: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(data) + deflater.flush()


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("gzip", gzip.compress(b"hello", mtime=0)),
        (
            "x-gzip",
            gzip.compress(b"hel", mtime=0) + gzip.compress(b"lo", mtime=0) + b"\0\0",
        ),
        ("deflate", zlib.compress(b"hello")),
        ("deflate", bare(b"hello")),
        ("identity", b"hello"),
    ],
)
@pytest.mark.parametrize("step", [1, 1000])
async def test_a_compressed_body_is_read(coding: str, data: bytes, step: int) -> None:
    async def answer(_: Seen, writer: asyncio.StreamWriter) -> bytes:
        writer.write(f"HTTP/1.0 200 OK\r\nContent-Encoding: {coding}\r\n\r\n".encode())
        for start in range(0, len(data), step):
            writer.write(data[start : start + step])
            await writer.drain()
            await asyncio.sleep(0)
        return b""

    async with serving(answer) as server:
        sent = await send(event_of(server.url))
    assert (sent.error, sent.end.response.body) == (None, "hello")


async def test_a_coding_we_did_not_ask_for_is_handed_on_as_bytes() -> None:
    async with serving(ok(b"abc", "Content-Encoding: br")) as server:
        sent = await send(event_of(server.url))
    got = sent.end.response
    assert (got.body, got.body_base64) == ("YWJj", True)


async def test_a_gzip_bomb_costs_no_more_than_the_limit() -> None:
    deflater = zlib.compressobj(9, wbits=31)
    bomb = b"".join(deflater.compress(bytes(1 << 20)) for _ in range(256))
    bomb += deflater.flush()
    async with serving(ok(bomb, "Content-Encoding: gzip")) as server:
        tracemalloc.start()
        try:
            sent = await send(event_of(server.url, maxBodyBytes=100_000))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    got = sent.end.response
    assert (sent.error, got.truncated, got.body_bytes) == (None, True, 100_000)
    assert peak < 8 << 20


async def test_of_a_body_of_100_mb_only_the_limit_is_read() -> None:
    written = 0

    async def answer(_: Seen, writer: asyncio.StreamWriter) -> bytes:
        nonlocal written
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n")
        for _ in range(1600):
            writer.write(b"x" * 65_536)
            await writer.drain()
            written += 65_536
        return b""

    async with serving(answer) as server:
        sent = await send(event_of(server.url))
        got = sent.end.response
        assert (sent.error, got.truncated) == (None, True)
        assert len(got.body) == limits.DEFAULT_HTTP_BODY_BYTES
    assert written < 32 << 20


async def test_a_body_of_exactly_the_limit_is_not_cut() -> None:
    async with serving(ok(b"x" * 10)) as server:
        exact = await send(event_of(server.url, maxBodyBytes=10))
        cut = await send(event_of(server.url, maxBodyBytes=9))
        none = await send(event_of(server.url, maxBodyBytes=0))
    assert not exact.end.response.truncated
    assert (cut.end.response.body, cut.end.response.truncated) == ("x" * 9, True)
    assert (none.end.response.body, none.end.response.truncated) == ("", True)


async def test_the_operator_s_ceiling_cuts_too() -> None:
    config = HttpConfig(addresses=LOOPBACK, max_body=5)
    async with serving(ok(b"x" * 10)) as server:
        sent = await send(event_of(server.url), config=config)
    assert sent.end.response.body == "xxxxx"


async def test_half_a_secret_at_the_limit_is_cut_away() -> None:
    body = b"x" * 90 + TOKEN.encode() + b"x" * 100
    async with serving(ok(body)) as server:
        sent = await send(
            event_of(server.url, auth=BEARER, maxBodyBytes=96), secrets=SECRETS
        )
    assert sent.end.response.body == "x" * 90
    assert TOKEN[:5] not in sent.told


@pytest.mark.parametrize(
    ("content_type", "data", "body", "is_base64"),
    [
        ("text/plain; charset=latin-1", b"\xfc", "ü", False),
        ('text/plain; charset="UTF-16"', "ü".encode("utf-16"), "ü", False),
        ("text/plain", "ü😀".encode(), "ü😀", False),
        ("text/plain; charset=rot13", b"abc", "abc", False),
        ("text/plain; charset=nonsense", b"abc", "abc", False),
        ("image/png", b"\x89PNG\xff\0", "iVBOR/8A", True),
        ("text/plain", b"a\0b", "YQBi", True),
    ],
)
async def test_a_body_is_text_when_it_is_and_base64_when_it_is_not(
    content_type: str, data: bytes, body: str, is_base64: bool
) -> None:
    async with serving(ok(data, f"Content-Type: {content_type}")) as server:
        sent = await send(event_of(server.url))
    got = sent.end.response
    assert (got.body, got.body_base64, got.body_bytes) == (body, is_base64, len(data))


@pytest.mark.parametrize(
    "document",
    [
        "{", "NaN", "[1e999]", '"\\ud800"', "[" * 200 + "]" * 200, "[" * 9_000,
        "1" * 9_000,
    ],
)  # fmt: skip
async def test_json_that_could_not_be_handed_on_stays_text(document: str) -> None:
    answer = ok(document.encode(), "Content-Type: application/json")
    async with serving(answer) as server:
        sent = await send(event_of(server.url))
    assert sent.error is None
    assert sent.end.response.json_value is None
    assert sent.end.response.body == document
    assert sent.end.response.model_dump_json()


def test_a_response_that_would_not_fit_a_payload_is_cut() -> None:
    response = HttpResponse(body="\x01" * 500_000, json_value=["x" * 500_000])
    fits = fitting(response)
    assert fits.json_value is None
    assert fits.truncated
    assert len(fits.model_dump_json()) <= limits.MAX_HTTP_OUTPUT_BYTES
    small = HttpResponse(body="x", json_value=[1])
    assert fitting(small) == small


async def test_redirects_are_followed_and_told() -> None:
    async def answer(seen: Seen, _: asyncio.StreamWriter) -> bytes:
        steps = {"/a": redirect("/b?x=1", "301 Moved"), "/b?x=1": redirect("../c")}
        return steps.get(seen.target, ok())

    async with serving(answer) as server:
        sent = await send(event_of(server.url + "/a", auth=BEARER), secrets=SECRETS)
    got = sent.end.response
    assert (sent.error, got.url) == (None, server.url + "/c")
    assert [(r.status, r.url) for r in got.redirects] == [
        (301, server.url + "/b?x=1"),
        (302, server.url + "/c"),
    ]
    # The same origin is told the same.
    assert [seen.one("authorization") for seen in server.seen] == [
        f"Bearer {TOKEN}"
    ] * 3


@pytest.mark.parametrize(
    ("status", "method", "then", "body"),
    [
        ("301 x", "POST", "GET", b""),
        ("302 x", "PUT", "PUT", b"abc"),
        ("303 x", "PUT", "GET", b""),
        ("307 x", "POST", "POST", b"abc"),
        ("308 x", "PATCH", "PATCH", b"abc"),
        ("303 x", "HEAD", "HEAD", b""),
    ],
)
async def test_method_and_body_follow_the_kind_of_redirect(
    status: str, method: str, then: str, body: bytes
) -> None:
    async def answer(seen: Seen, _: asyncio.StreamWriter) -> bytes:
        return redirect("/b", status) if seen.target == "/a" else ok(b"")

    async with serving(answer) as server:
        sent = await send(event_of(server.url + "/a", method=method, body="abc"))
    assert sent.error is None
    assert (server.seen[1].method, server.seen[1].body) == (then, body)
    assert bool(server.seen[1].all("content-type")) is bool(body)


async def test_another_origin_is_not_told_credentials() -> None:
    async with serving(ok()) as other, serving(redirect(other.url + "/")) as first:
        sent = await send(
            event_of(
                first.url,
                auth=BEARER,
                headers=[
                    {"name": "X-Mine", "secret": "TOKEN"},
                    {"name": "X-In", "value": "a={{ secrets.TOKEN }}"},
                    {"name": "Cookie", "value": "sid=1234"},
                    {"name": "X-Plain", "value": "p"},
                ],
            ),
            secrets=SECRETS,
        )
    assert sent.error is None
    assert {"authorization", "x-mine", "x-in", "cookie"} <= {
        name.lower() for name, _ in first.seen[0].headers
    }
    told = {name.lower() for name, _ in other.seen[0].headers}
    assert not told & {"authorization", "x-mine", "x-in", "cookie"}
    assert "x-plain" in told


async def test_a_body_with_a_secret_does_not_go_to_another_origin() -> None:
    async with serving(ok()) as other:
        async with serving(redirect(other.url, "307 x")) as first:
            body = {"kind": "json", "content": {"t": {"secret": "TOKEN"}}}
            event = event_of(first.url, method="POST", body=body)
            sent = await send(event, secrets=SECRETS)
        assert sent.error == "HttpRedirectRefused"
        assert other.connections == 0


async def test_a_loop_of_redirects_ends() -> None:
    async with serving(redirect("/again")) as server:
        sent = await send(event_of(server.url, redirects=3))
    assert sent.error == "HttpTooManyRedirects"
    assert len(server.seen) == 4
    assert sent.end.response.status == 302


async def test_no_redirects_means_that_one_is_the_answer() -> None:
    async with serving(redirect("/x")) as server:
        sent = await send(event_of(server.url, redirects=0, successStatuses=[302]))
    assert sent.error is None
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "gopher://x/", "http://u:p@h/", "http://h:0x/"],
)
async def test_a_redirect_to_no_http_url_is_refused(location: str) -> None:
    async with serving(redirect(location)) as server:
        sent = await send(event_of(server.url))
    assert sent.error == "HttpRedirectRefused"
    assert "passwd" not in str(sent.end.error)


async def test_a_redirect_to_a_name_that_cannot_be_spelt_is_an_error_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def lookup(host: str, port: int, **_: Any) -> list[Any]:
        if host.startswith("xn--"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(2, 1, 6, "", (host, port))]

    async with serving(redirect("http://xn--0/")) as server:
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", lookup)
        sent = await send(event_of(server.url, auth=BEARER), secrets=SECRETS)
    assert sent.error == "HttpNameUnknown"


@pytest.mark.parametrize("how", ["seconds", "date", "none"])
async def test_a_503_is_sent_again_after_the_wait_the_server_asks_for(how: str) -> None:
    times: list[float] = []

    async def answer(_: Seen, __: asyncio.StreamWriter) -> bytes:
        times.append(time.monotonic())
        if len(times) == 2:
            return ok()
        date = email.utils.formatdate(time.time() + 2, usegmt=True)
        header = {"seconds": "Retry-After: 1", "date": f"Retry-After: {date}"}
        return ok(b"", header.get(how, "X: y"), status="503 Busy")

    async with serving(answer) as server:
        sent = await send(event_of(server.url, retryStatuses=["503"]))
    assert (sent.error, sent.end.response.attempts) == (None, 2)
    assert 0.9 < times[1] - times[0] < 6
    assert any(line.startswith("* sent again in") for line in sent.lines)


@pytest.mark.parametrize(
    ("after", "http", "requests"),
    [
        ("120", {"retryStatuses": [503]}, 1),
        ("9" * 400, {"retryStatuses": [503]}, 1),
        ("5", {"retryStatuses": [503], "timeout": 4}, 1),
        ("0", {"retryStatuses": ["5xx"], "retryAttempts": 3}, 4),
        ("-1", {"retryStatuses": ["5xx"], "retryMaxWaitSeconds": 0}, 3),
        ("nonsense", {"retryStatuses": [503], "retryMaxWaitSeconds": 0.01}, 3),
        ("0", {}, 1),
    ],
)
async def test_resends_are_bounded_and_the_last_answer_is_kept(
    after: str, http: dict[str, Any], requests: int
) -> None:
    answer = ok(b"busy", f"Retry-After: {after}", status="503 Busy")
    async with serving(answer) as server:
        begun = time.monotonic()
        sent = await send(event_of(server.url, **http))
    assert time.monotonic() - begun < 3
    assert (sent.error, len(server.seen)) == ("HttpStatus", requests)
    assert (sent.end.response.status, sent.end.response.body) == (503, "busy")


async def test_a_cancelled_request_closes_its_connection() -> None:
    came, closed = asyncio.Event(), asyncio.Event()

    async def listen(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        came.set()
        await reader.read()
        closed.set()
        writer.close()

    listener = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    task = asyncio.ensure_future(send(event_of(f"http://127.0.0.1:{port}/")))
    try:
        await asyncio.wait_for(came.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(closed.wait(), 10)
    finally:
        listener.close()


async def test_proxy_variables_are_not_heeded_and_the_operator_s_proxy_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving(ok(b"direct")) as server, serving(ok(b"proxied")) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        plain = await send(event_of(server.url))
        config = HttpConfig(
            addresses=LOOPBACK, proxy=proxy.url.replace("//", "//me:pw@")
        )
        through = await send(event_of(server.url + "/p"), config=config)
        refused = await send(
            event_of("http://169.254.169.254/"),
            config=HttpConfig(addresses=AddressPolicy(), proxy=proxy.url),
        )
    assert (plain.end.response.body, through.end.response.body) == ("direct", "proxied")
    (seen,) = proxy.seen
    assert seen.target == server.url + "/p"
    assert seen.one("proxy-authorization") == "Basic bWU6cHc="
    assert refused.error == "HttpAddressRefused"
