"""Counts the requests to the gateway: which address, how long, with what answer."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.metrics import Metrics

OTHER = "other"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Scrapes and probes would drown what people ask.
NOT_COUNTED = frozenset({"/metrics", "/live", "/ready", "/health"})
FAILED = 500


class Measured:
    """ASGI middleware. An address counts by its pattern: what is in it has no bound."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and count it when it was answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began = FAILED, time.perf_counter()

        async def send_and_look(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_look)
        finally:
            _count(scope, status, time.perf_counter() - began)


def _count(scope: Scope, status: int, seconds: float) -> None:
    endpoint = str(getattr(scope.get("route"), "path", OTHER))
    if endpoint in NOT_COUNTED:
        return
    method = scope["method"] if scope["method"] in METHODS else OTHER
    metrics: Metrics = scope["app"].state.services.metrics
    metrics.requests.labels(endpoint, method).inc()
    metrics.request_seconds.labels(endpoint, method).observe(seconds)
    if status >= 400:
        metrics.request_errors.labels(endpoint, method, str(status)).inc()
