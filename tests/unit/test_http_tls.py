"""TLS: who is trusted, who is not, and what is said of it."""

import asyncio
import contextlib
import datetime
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from contracts.errors import CeilingExceeded, HttpRequestInvalid, RequestRefused
from engines.http import HttpConfig, HttpEngine
from tests.http_servers import (
    LOOPBACK,
    Sent,
    Server,
    event_of,
    ok,
    redirect,
    send,
    serving,
)

YESTERDAY = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def context_of(cert: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    cert.configure_cert(context)
    return context


def pem(authority: trustme.CA) -> str:
    return authority.cert_pem.bytes().decode()


@contextlib.asynccontextmanager
async def secured(cert: trustme.LeafCert, answer: Any = None) -> AsyncIterator[Server]:
    async with serving(answer or ok(), context_of(cert)) as server:
        yield server


async def trusting(server: Server, authority: trustme.CA, **tls: Any) -> Sent:
    return await send(
        event_of(server.url, tls={"caSecret": "CA", **tls}),
        secrets={"CA": pem(authority)},
    )


async def test_an_authority_from_a_secret_is_trusted(authority: trustme.CA) -> None:
    async with secured(authority.issue_cert("127.0.0.1")) as server:
        sent = await trusting(server, authority)
    assert (sent.error, sent.end.response.body) == (None, "fine")
    assert sent.end.response.timing.tls_ms is not None


async def test_an_authority_of_the_operator_is_trusted(
    authority: trustme.CA, tmp_path: Path
) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text(pem(authority))
    config = HttpConfig(addresses=LOOPBACK, ca_bundle=bundle)
    async with secured(authority.issue_cert("127.0.0.1")) as server:
        sent = await send(event_of(server.url), config=config)
    assert sent.error is None


async def test_the_name_of_the_url_is_what_the_server_must_prove(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address is connected to, but name and SNI stay those of the URL."""
    asked: list[str | None] = []
    context = context_of(authority.issue_cert("named.example"))
    context.sni_callback = lambda _, name, __: asked.append(name)
    loop = asyncio.get_running_loop()

    async def lookup(_: str, port: int, **__: Any) -> list[Any]:
        return [(2, 1, 6, "", ("127.0.0.1", port))]

    async with serving(ok(), context) as server:
        monkeypatch.setattr(loop, "getaddrinfo", lookup)
        sent = await send(
            event_of(f"https://named.example:{server.port}/", tls={"caSecret": "CA"}),
            secrets={"CA": pem(authority)},
        )
    assert (sent.error, asked) == (None, ["named.example"])
    assert server.seen[0].one("host") == f"named.example:{server.port}"


def expired(authority: trustme.CA) -> trustme.LeafCert:
    return authority.issue_cert("127.0.0.1", not_after=YESTERDAY)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("expired", "expired"),
        ("wrong host", "not valid for '127.0.0.1'"),
        ("unknown authority", "unable to get local issuer certificate"),
    ],
)
async def test_a_bad_certificate_is_refused_with_the_reason(
    case: str, words: str, authority: trustme.CA
) -> None:
    cert = {
        "expired": lambda: expired(authority),
        "wrong host": lambda: authority.issue_cert("other.example"),
        "unknown authority": lambda: trustme.CA().issue_cert("127.0.0.1"),
    }[case]()
    async with secured(cert) as server:
        sent = await trusting(server, authority)
        careless = await trusting(server, authority, verify=False)
        (seen,) = server.seen
    assert sent.error == "HttpTlsFailed"
    assert sent.end.error is not None
    assert words in sent.end.error.message
    assert not sent.end.error.retryable
    # Nothing of the request was sent to the one that was not trusted.
    assert careless.error is None
    assert seen.method == "GET"


async def test_without_a_named_authority_the_usual_ones_are_asked(
    authority: trustme.CA,
) -> None:
    async with secured(authority.issue_cert("127.0.0.1")) as server:
        refused = await send(event_of(server.url))
        taken = await send(event_of(server.url, tls={"verify": False}))
    assert (refused.error, taken.error) == ("HttpTlsFailed", None)


async def test_a_version_below_the_least_is_refused(authority: trustme.CA) -> None:
    context = context_of(authority.issue_cert("127.0.0.1"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with serving(ok(), context) as server:
        refused = await trusting(server, authority, minVersion="1.3")
        taken = await trusting(server, authority)
    assert (refused.error, taken.error) == ("HttpTlsFailed", None)
    assert "minVersion" in str(refused.end.error)


async def test_a_port_without_tls_is_said() -> None:
    async with serving(ok()) as server:
        sent = await send(event_of(server.url.replace("http:", "https:")))
    assert sent.error == "HttpTlsFailed"


async def test_a_handshake_that_never_ends_times_out() -> None:
    async def silent(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    listener = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    try:
        event = event_of(f"https://127.0.0.1:{port}/", timeouts={"connectSeconds": 0.3})
        sent = await send(event)
    finally:
        listener.close()
    assert sent.error == "HttpTimeout"
    assert "TLS handshake" in str(sent.end.error)


async def test_a_redirect_to_plain_http_is_followed_only_on_request(
    authority: trustme.CA,
) -> None:
    cert = authority.issue_cert("127.0.0.1")
    async with serving(ok()) as plain, secured(cert, redirect(plain.url)) as server:
        refused = await trusting(server, authority)
        event = event_of(server.url, allowDowngrade=True, tls={"caSecret": "CA"})
        followed = await send(event, secrets={"CA": pem(authority)})
    assert refused.error == "HttpRedirectRefused"
    assert followed.error is None
    assert len(plain.seen) == 1


async def test_a_secret_without_certificates_is_named() -> None:
    with pytest.raises(HttpRequestInvalid, match="caSecret"):
        await send(
            event_of("https://127.0.0.1:9/", tls={"caSecret": "CA"}),
            secrets={"CA": "this is no PEM"},
        )


def test_the_operator_s_ceilings_are_kept() -> None:
    engine = HttpEngine(
        HttpConfig(allow_unverified_tls=False, max_body=100_000, max_timeout=60)
    )
    engine.check_ceilings(event_of("http://h/"))
    with pytest.raises(RequestRefused, match=r"tls\.verify"):
        engine.check_ceilings(event_of("http://h/", tls={"verify": False}))
    with pytest.raises(CeilingExceeded, match="200000 asked, at most 100000"):
        engine.check_ceilings(event_of("http://h/", maxBodyBytes=200_000))
    with pytest.raises(CeilingExceeded, match=r"timeoutSeconds: 61 asked"):
        engine.check_ceilings(event_of("http://h/", timeout=61))
