"""One signed or unsigned POST to a URL that somebody configured, and what came of it.

Nothing of an answer but its status and Retry-After is used: its body is not read.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx

from contracts.errors import DeliveryFailed, DeliveryRefused

# They write URLs, which may have tokens in them, into the worker's own log.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)

# A receiver cannot put us off for longer.
LONGEST_RETRY_AFTER = 300.0
TOO_MANY_REQUESTS = 429
Fields = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Poster:
    """Sends POST requests, each once.

    Args:
        transport: Makes what connects, and so decides which addresses may be reached;
            None is a plain one.
        clock: Seconds since 1970.
    """

    transport: Callable[[], httpx.AsyncBaseTransport] | None = None
    clock: Callable[[], float] = time.time

    async def post(
        self, url: str, body: bytes, headers: Fields, seconds: float, what: str
    ) -> int:
        """Send a body; return the status, which is 2xx.

        Args:
            url: Where to. Redirects are not followed.
            body: What is sent.
            headers: In this order.
            seconds: Limit of all of it.
            what: How errors name it: "the callback".

        Raises:
            DeliveryFailed: It may succeed later, after `retry_after` seconds.
            DeliveryRefused: It will not.
        """
        try:
            async with asyncio.timeout(seconds):
                reply = await self._exchange(url, body, headers, seconds)
        except TimeoutError:
            raise DeliveryFailed(
                f"{what} was not answered within {seconds:g} s"
            ) from None
        except httpx.LocalProtocolError:
            raise DeliveryRefused(f"{what} cannot be sent as HTTP") from None
        except httpx.HTTPError as error:
            raise DeliveryFailed(f"{what} did not arrive: {_why(error)}") from None
        except (httpx.InvalidURL, ValueError):
            raise DeliveryRefused(f"{what} cannot be sent as HTTP") from None
        _check(reply.status_code, retry_after(reply, self.clock()), what)
        return reply.status_code

    async def _exchange(
        self, url: str, body: bytes, headers: Fields, seconds: float
    ) -> httpx.Response:
        client = httpx.AsyncClient(
            transport=self.transport() if self.transport else None,
            timeout=seconds,
            follow_redirects=False,
            trust_env=False,
        )
        encoded = [(name.encode("ascii"), value.encode()) for name, value in headers]
        async with (
            client,
            client.stream("POST", url, content=body, headers=encoded) as reply,
        ):
            return reply


def retry_after(reply: httpx.Response, now: float) -> float | None:
    """Return the seconds that the receiver asks to wait, as number or date."""
    text = reply.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_RETRY_AFTER)
    try:
        when = parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
    return min(max(0.0, when - now), LONGEST_RETRY_AFTER)


def _check(status: int, wait: float | None, what: str) -> None:
    if 200 <= status < 300:
        return
    if status == TOO_MANY_REQUESTS or status >= 500:
        raise DeliveryFailed(f"{what} was answered with {status}", retry_after=wait)
    if 300 <= status < 400:
        raise DeliveryRefused(
            f"{what} was answered with the redirect {status}, which is not followed: "
            "what is sent is for this URL alone"
        )
    raise DeliveryRefused(f"{what} was answered with {status}")


def _why(error: httpx.HTTPError) -> str:
    """Return a reason without the URL, which may have a token in it."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({seen.verify_message})"
        if isinstance(seen, ConnectionRefusedError):
            return "connection refused"
        if isinstance(seen, ExceptionGroup):
            seen = seen.exceptions[0]
            continue
        seen = seen.__cause__ or seen.__context__
    return type(error).__name__
