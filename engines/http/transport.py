"""The guard of HTTP events for other clients of ours: a transport for httpx.

Callbacks and webhooks are configured by the same people as HTTP events, so they may
reach the same addresses.
"""

import httpx

from contracts.errors import DeliveryFailed, DeliveryRefused
from contracts.http import TlsOptions
from engines.http.engine import HttpConfig, connection_pool
from engines.http.failures import ExchangeFailed
from engines.http.wire import Marks, check_proxied, tls_context

PROXY_LOOKUP_SECONDS = 10.0


class GuardedTransport(httpx.AsyncHTTPTransport):
    """Connects to what the operator allows HTTP events to reach, and to nothing else.

    Args:
        config: The operator's choices.

    Sending raises `DeliveryRefused` for an address that is not allowed, and
    `DeliveryFailed` for a name that is not found.
    """

    def __init__(self, config: HttpConfig) -> None:
        self._config = config
        marks = Marks()
        context = tls_context(TlsOptions(), None, config.ca_bundle)
        # httpx has no argument for what opens its connections.
        self._pool = connection_pool(config, context, lambda: marks)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See base class."""
        try:
            if self._config.proxy is not None:
                await check_proxied(
                    self._config.addresses, request.url, PROXY_LOOKUP_SECONDS
                )
            return await super().handle_async_request(request)
        except ExchangeFailed as failure:
            info = failure.info
            if info.retryable:
                raise DeliveryFailed(info.message) from None
            raise DeliveryRefused(info.message, hint=info.hint) from None
