"""Makes the HTTP requests of events, within what the operator allows."""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpcore
import httpx

from contracts import limits
from contracts.errors import CeilingExceeded, RequestRefused
from contracts.events import EventSpec
from contracts.http import HttpRequestSpec
from contracts.http_response import HttpResponse
from engines.http.addresses import AddressPolicy
from engines.http.body import Mask
from engines.http.exchange import Exchange, HttpEnd
from engines.http.request import PreparedRequest, prepare
from engines.http.transcript import Transcript
from engines.http.wire import GuardedBackend, Marks, check_proxied, tls_context


@dataclass(frozen=True, slots=True)
class HttpConfig:
    """The operator's choices. Sizes in bytes, times in seconds."""

    addresses: AddressPolicy = field(default_factory=AddressPolicy)
    proxy: str | None = None
    ca_bundle: Path | None = None
    allow_unverified_tls: bool = True
    max_body: int = limits.MAX_HTTP_BODY_BYTES
    max_timeout: float = 3600.0


class HttpEngine:
    """Sends requests. Each has its own connections: nothing is shared between events.

    Args:
        config: The operator's choices.
    """

    def __init__(self, config: HttpConfig) -> None:
        self.config = config

    def check_ceilings(self, event: EventSpec) -> None:
        """Refuse an event that asks for more than the operator allows.

        Raises:
            CeilingExceeded: The message has the field and both numbers.
            RequestRefused: Unverified TLS is asked for, and not allowed.
        """
        spec, config = event.http, self.config
        if spec is None:
            return
        for path, asked, ceiling in (
            ("event.http.maxBodyBytes", _asked_body(spec), config.max_body),
            ("event.timeoutSeconds", event.timeout_seconds, config.max_timeout),
        ):
            if asked > ceiling:
                raise CeilingExceeded(
                    f"{path}: {asked:g} asked, at most {ceiling:g} allowed"
                )
        if not spec.tls.verify and not config.allow_unverified_tls:
            raise RequestRefused(
                "event.http.tls.verify: the operator does not allow false",
                hint="Name the server's authority in http.tls.caSecret.",
            )

    async def prepare(
        self,
        spec: HttpRequestSpec,
        data: Mapping[str, Any],
        resolve: Callable[[str], str],
    ) -> PreparedRequest:
        """Fill in templates and secrets; see `engines.http.request.prepare`."""
        # Encoding megabytes of JSON must not hold up the heartbeats of others.
        return await asyncio.to_thread(prepare, spec, data, resolve)

    async def send(
        self,
        event: EventSpec,
        request: PreparedRequest,
        *,
        say: Callable[[str], None],
        mask: Mask,
    ) -> HttpEnd:
        """Send a request and return what came of it; never raises for the server.

        Cancelling this closes the connection at once.

        Args:
            event: The event; its `timeoutSeconds` bounds all of it.
            request: Its request, prepared.
            say: Takes the lines of the log, secrets masked.
            mask: Takes the secrets out of lines and result.

        Raises:
            HttpRequestInvalid: The event's own CA certificates cannot be read.
        """
        spec = event.http
        assert spec is not None
        config = self.config
        context = tls_context(spec.tls, request.ca_certificates, config.ca_bundle)

        def connect(marks: Callable[[], Marks]) -> httpcore.AsyncConnectionPool:
            return connection_pool(config, context, marks)

        async def check(url: httpx.URL) -> None:
            if config.proxy is not None:
                seconds = spec.timeouts.connect_seconds
                await check_proxied(config.addresses, url, seconds)

        exchange = Exchange(
            spec=spec,
            request=request,
            connect=connect,
            check=check,
            max_body=min(spec.max_body_bytes, config.max_body),
            transcript=Transcript(say, mask),
            mask=mask,
        )
        end = await exchange.run(event.timeout_seconds)
        return HttpEnd(fitting(end.response), end.error)


def connection_pool(
    config: HttpConfig, context: ssl.SSLContext, marks: Callable[[], Marks]
) -> httpcore.AsyncConnectionPool:
    """Return what connects, to the proxy or to addresses that are allowed.

    Args:
        config: The operator's choices.
        context: How servers are proved.
        marks: Where times are noted.
    """
    if config.proxy is not None:
        return _proxy_pool(config.proxy, context)
    return httpcore.AsyncConnectionPool(
        ssl_context=context,
        max_keepalive_connections=0,
        network_backend=GuardedBackend(config.addresses, marks),
    )


def _proxy_pool(url: str, context: ssl.SSLContext) -> httpcore.AsyncHTTPProxy:
    proxy = httpx.Proxy(url)
    return httpcore.AsyncHTTPProxy(
        httpcore.URL(
            scheme=proxy.url.raw_scheme,
            host=proxy.url.raw_host,
            port=proxy.url.port,
            target=b"/",
        ),
        proxy_auth=proxy.raw_auth,
        ssl_context=context,
        max_keepalive_connections=0,
    )


def fitting(response: HttpResponse) -> HttpResponse:
    """Return a response that a result can carry: without `json`, then cut."""
    if _size(response) > limits.MAX_HTTP_OUTPUT_BYTES:
        response = response.model_copy(update={"json_value": None})
    body = response.body
    while _size(response) > limits.MAX_HTTP_OUTPUT_BYTES and body:
        # A multiple of 4, so that base64 stays base64.
        body = body[: len(body) // 2 // 4 * 4]
        response = response.model_copy(update={"body": body, "truncated": True})
    return response


def _size(response: HttpResponse) -> int:
    return len(response.model_dump_json().encode())


def _asked_body(spec: HttpRequestSpec) -> int:
    # A default is not asked for: the operator's ceiling lowers it silently.
    asked = spec.max_body_bytes
    return 0 if asked == limits.DEFAULT_HTTP_BODY_BYTES else asked
