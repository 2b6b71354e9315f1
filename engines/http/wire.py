"""Connections: one look at the addresses of a name, and only these are connected to.

Name and address are checked and used in one step, on the first request and on each
redirect. A name that changes its address between check and use (DNS rebinding) gains
nothing, since it is not asked a second time. Host header and TLS name stay the URL's.
"""

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpcore
import httpx

from contracts.errors import HttpRequestInvalid
from contracts.http import TlsOptions
from engines.http.addresses import AddressPolicy
from engines.http.failures import ExchangeFailed, address_refused, name_unknown
from engines.http.urls import host_of

# At level debug it writes the headers of every answer into the worker's own log, where
# nothing is masked.
logging.getLogger("httpcore").setLevel(logging.WARNING)

# A name with more addresses than this is tried at the first of them.
MAX_ADDRESSES = 8
TLS_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@dataclass
class Marks:
    """When the steps of one exchange were done: seconds of the monotonic clock."""

    phase: str = "connect"
    """`dns`, `connect`, `tls`, `write` or `read`: what was under way last."""
    dns: float | None = None
    connect: float | None = None
    tls: float | None = None
    sent: float | None = None
    first_byte: float | None = None
    begun: float = 0.0
    """When the step under way began."""
    peer: str = ""
    """The address that was connected to."""

    async def trace(self, event: str, _: dict[str, Any]) -> None:
        """Take an event of httpcore's trace extension."""
        now = time.monotonic()
        step = ".".join(event.split(".")[-2:])
        if step == "start_tls.started":
            self.phase, self.begun = "tls", now
        elif step == "start_tls.complete":
            self.tls = now - self.begun
        elif step == "send_request_headers.started":
            self.phase = "write"
        elif step == "send_request_body.complete":
            self.phase, self.sent = "read", now
        elif step == "receive_response_headers.started":
            self.phase, self.sent = "read", self.sent or now
        elif step == "receive_response_headers.complete":
            self.first_byte = now - (self.sent or now)


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens TCP connections to addresses that the policy allows.

    Args:
        policy: What the operator allows.
        marks: Where times are noted.
    """

    def __init__(self, policy: AddressPolicy, marks: Callable[[], Marks]) -> None:
        self._policy = policy
        self._marks = marks
        self._plain = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve once, check every address, connect to the first that answers.

        Raises:
            ExchangeFailed: No such name, or an address that is not allowed.
            ConnectError: None of them answers.
            ConnectTimeout: None of them answers in time.
        """
        marks = self._marks()
        begun = time.monotonic()
        marks.phase = "dns"
        addresses = await resolve(host, port, timeout)
        marks.dns = time.monotonic() - begun
        check_addresses(self._policy, host, addresses)
        marks.phase, begun = "connect", time.monotonic()
        stream = await self._first_of(addresses, port, timeout, marks)
        marks.connect = time.monotonic() - begun
        return stream

    async def _first_of(
        self, addresses: list[str], port: int, timeout: float | None, marks: Marks
    ) -> httpcore.AsyncNetworkStream:
        end = time.monotonic() + (timeout or 0)
        for left in range(len(addresses), 0, -1):
            marks.peer = addresses[-left]
            # One address that swallows packets must not use up the others' time.
            share = timeout and max(0.001, (end - time.monotonic()) / left)
            try:
                return await self._plain.connect_tcp(marks.peer, port, share)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if left == 1:
                    raise
        raise httpcore.ConnectError("no address")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


async def resolve(host: str, port: int, timeout: float | None) -> list[str]:
    """Return the addresses of a name, in the order to try them.

    Raises:
        ExchangeFailed: There is no such name, or no name server answers.
        ConnectTimeout: It takes longer than the timeout, in seconds.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await asyncio.wait_for(
            loop.getaddrinfo(host, port, type=socket.SOCK_STREAM), timeout
        )
    except TimeoutError as error:
        raise httpcore.ConnectTimeout("name resolution") from error
    except socket.gaierror as error:
        raise name_unknown(host, error.strerror or "no answer") from error
    except UnicodeError as error:
        raise name_unknown(host, "this is not a host name") from error
    addresses = dict.fromkeys(str(entry[4][0]) for entry in found)
    return list(addresses)[:MAX_ADDRESSES]


def check_addresses(policy: AddressPolicy, host: str, addresses: list[str]) -> None:
    """Refuse a host when any of its addresses is not allowed.

    Raises:
        ExchangeFailed: `HttpAddressRefused`.
    """
    for address in addresses:
        kind = policy.refusal(host, address)
        if kind is not None:
            raise address_refused(host, kind)


async def check_proxied(policy: AddressPolicy, url: httpx.URL, timeout: float) -> None:
    """Check the host of a request that goes through the operator's proxy.

    The proxy looks the name up itself, so this is a second line only: a proxy must
    have a policy of its own. A name that only the proxy knows is left to it.
    """
    try:
        addresses = await resolve(host_of(url), 0, timeout)
    except (ExchangeFailed, httpcore.ConnectTimeout):
        return
    check_addresses(policy, host_of(url), addresses)


def tls_context(
    options: TlsOptions, ca_certificates: str | None, bundle: Path | None
) -> ssl.SSLContext:
    """Return how servers are proved.

    Args:
        options: The event's choice.
        ca_certificates: PEM certificates of the event's own; they are trusted alone.
        bundle: The operator's file of certificates, trusted besides the usual ones.

    Raises:
        HttpRequestInvalid: The event's certificates cannot be read.
    """
    if ca_certificates is None:
        return _usual_context(options.verify, options.min_version, bundle)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=ca_certificates)
    except (ssl.SSLError, ValueError):
        raise HttpRequestInvalid(
            "event.http.tls.caSecret: the secret has no PEM certificates"
        ) from None
    return _adjusted(context, options.verify, options.min_version)


@lru_cache(maxsize=8)
def _usual_context(verify: bool, least: str, bundle: Path | None) -> ssl.SSLContext:
    # Loading the certificates takes some 20 ms, and nothing of an event is in them.
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    if bundle is not None:
        context.load_verify_locations(cafile=str(bundle))
    return _adjusted(context, verify, least)


def _adjusted(context: ssl.SSLContext, verify: bool, least: str) -> ssl.SSLContext:
    context.minimum_version = TLS_VERSIONS[least]
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
