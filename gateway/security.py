"""What holds for every request: headers of the answer, size of the body."""

from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "X-Permitted-Cross-Domain-Policies": "none",
    # Logs belong to one user: no cache on the way may keep them.
    "Cache-Control": "no-store",
}
_NOTHING = "default-src 'none'; frame-ancestors 'none'"
# The page of the API loads its viewer from elsewhere and starts it with inline script.
_DOCS = (
    "default-src 'self'; script-src 'unsafe-inline' https:; style-src 'unsafe-inline' "
    "https:; img-src data: https:; frame-ancestors 'none'"
)


# Content-Length from 10,000,000 on.
_LONG_DIGITS = 8
# Said only where the answer came by TLS, which a trusted proxy may tell.
_TLS_ALWAYS = "max-age=31536000"


def headers_for(scope: Scope) -> dict[str, str]:
    """Return the headers that the answer to a request must have."""
    docs = scope["path"] in ("/docs", "/redoc")
    found = {"Content-Security-Policy": _DOCS if docs else _NOTHING, **_ALWAYS}
    if scope["scheme"] == "https":
        found["Strict-Transport-Security"] = _TLS_ALWAYS
    return found


class SecurityHeaders:
    """ASGI middleware against surprises in a browser; a route's own header stays."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and add the headers to the answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in headers_for(scope).items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class BodyLimit:
    """ASGI middleware that stops reading a body above `limit` bytes: 413.

    Args:
        app: What comes after.
        limit: Bytes.
        larger: Beginnings of paths with limits of their own.
    """

    def __init__(
        self, app: ASGIApp, limit: int, larger: Mapping[str, int] | None = None
    ) -> None:
        self._app = app
        self._limit = limit
        self._larger = larger or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and count what is read of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        size, limit = 0, self._limit_of(scope["path"])
        headers = Headers(scope=scope)
        announced = headers.get("content-length", "")
        # A short rest is read after the answer, or many clients would not see that;
        # for one that may never end nobody waits.
        endless = "transfer-encoding" in headers or len(announced) >= _LONG_DIGITS
        complete = False
        too_large = f"The body has more than {limit} bytes."

        async def receive_counted() -> Message:
            nonlocal size, complete
            # What is announced need not be waited for.
            if announced.isdigit() and int(announced[:18]) > limit:
                raise HTTPException(413, too_large)
            message = await receive()
            size += len(message.get("body", b""))
            if size > limit:
                raise HTTPException(413, too_large)
            complete = not message.get("more_body", False)
            return message

        async def send_and_close(message: Message) -> None:
            if message["type"] == "http.response.start" and endless and not complete:
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self._app(scope, receive_counted, send_and_close)

    def _limit_of(self, path: str) -> int:
        for beginning, limit in self._larger.items():
            if path.startswith(beginning):
                return limit
        return self._limit
