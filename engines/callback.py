"""Callbacks: a result is POSTed to a URL, signed so that the receiver can trust it.

    X-Cronium-Timestamp: 1700000000
    X-Cronium-Signature: v1=hex(hmac_sha256(key, timestamp + "." + body))
    X-Cronium-Delivery:  the same for every try of one delivery

A receiver recomputes the signature over the raw body, compares in constant time,
refuses timestamps that are minutes old, and takes a delivery id that it has seen for
done. Trying again is left to the caller: an error says whether and when.
"""

import asyncio
import hashlib
import hmac
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx

from contracts.actions import CallbackAction
from contracts.errors import DeliveryFailed, DeliveryRefused
from contracts.limits import MAX_CALLBACK_BODY_BYTES
from contracts.results import ExecutionResult
from engines.secrets import SecretStore

# A receiver cannot put us off for longer.
LONGEST_RETRY_AFTER = 300.0
TOO_MANY_REQUESTS = 429


@dataclass(frozen=True, slots=True)
class CallbackSender:
    """Sends callbacks.

    Args:
        secrets: Where keys and headers are looked up.
        transport: Makes what connects, and so decides which addresses may be reached;
            None is a plain one.
        clock: Seconds since 1970.
    """

    secrets: SecretStore
    transport: Callable[[], httpx.AsyncBaseTransport] | None = None
    clock: Callable[[], float] = time.time

    async def send(
        self, action: CallbackAction, result: ExecutionResult, delivery_id: str
    ) -> int:
        """POST a result once; return the status, which is 2xx.

        Raises:
            SecretUnavailable: The key, or a header's secret, is not there.
            DeliveryFailed: It may succeed later, after `retry_after` seconds.
            DeliveryRefused: It will not.
        """
        body, cut = body_of(result)
        headers = self._headers(action, body, delivery_id)
        if cut:
            headers.append(("X-Cronium-Cut", cut))
        try:
            async with asyncio.timeout(action.timeout_seconds):
                status, wait = await self._post(action, headers, body)
        except TimeoutError:
            raise DeliveryFailed(
                f"the callback was not answered within {action.timeout_seconds:g} s"
            ) from None
        except httpx.HTTPError as error:
            raise DeliveryFailed(
                f"the callback did not arrive: {_why(error)}"
            ) from None
        except (httpx.InvalidURL, ValueError):
            raise DeliveryRefused("the callback cannot be sent as HTTP") from None
        _check(status, wait)
        return status

    def _headers(
        self, action: CallbackAction, body: bytes, delivery_id: str
    ) -> list[tuple[str, str]]:
        timestamp = str(int(self.clock()))
        key = self.secrets.resolve(action.secret).encode()
        own = [
            (header.name, self.secrets.resolve(header.secret).strip())
            if header.secret is not None
            else (header.name, header.value or "")
            for header in action.headers
        ]
        named = {name.lower() for name, _ in own}
        defaults = {"Content-Type": "application/json", "User-Agent": "cronium"}
        return [
            *own,
            *((name, v) for name, v in defaults.items() if name.lower() not in named),
            ("X-Cronium-Timestamp", timestamp),
            ("X-Cronium-Signature", signature(key, timestamp, body)),
            ("X-Cronium-Delivery", delivery_id),
        ]

    async def _post(
        self, action: CallbackAction, headers: list[tuple[str, str]], body: bytes
    ) -> tuple[int, float | None]:
        client = httpx.AsyncClient(
            transport=self.transport() if self.transport else None,
            timeout=action.timeout_seconds,
            follow_redirects=False,
            trust_env=False,
        )
        async with (
            client,
            client.stream(
                "POST", action.url, content=body, headers=_encoded(headers)
            ) as reply,
        ):
            # The answer's body is nobody's concern: it is not read.
            return reply.status_code, _retry_after(reply, self.clock())


def signature(key: bytes, timestamp: str, body: bytes) -> str:
    """Return the value of `X-Cronium-Signature`."""
    signed = timestamp.encode() + b"." + body
    return "v1=" + hmac.new(key, signed, hashlib.sha256).hexdigest()


def body_of(result: ExecutionResult) -> tuple[bytes, str]:
    """Return the result as JSON, and what was left out since it was too large."""
    cut = []
    body = result.model_dump_json().encode()
    if len(body) > MAX_CALLBACK_BODY_BYTES:
        rows = [row.model_copy(update={"output": None}) for row in result.targets]
        result = result.model_copy(update={"targets": rows})
        body, cut = result.model_dump_json().encode(), ["targets.output"]
    if len(body) > MAX_CALLBACK_BODY_BYTES:
        result = result.model_copy(update={"output": None})
        body, cut = result.model_dump_json().encode(), ["output", *cut]
    return body, ", ".join(cut)


def _encoded(headers: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("ascii"), value.encode()) for name, value in headers]


def _check(status: int, wait: float | None) -> None:
    if 200 <= status < 300:
        return
    if status == TOO_MANY_REQUESTS or status >= 500:
        raise DeliveryFailed(
            f"the callback was answered with {status}", retry_after=wait
        )
    if 300 <= status < 400:
        raise DeliveryRefused(
            f"the callback was answered with the redirect {status}, which is not "
            "followed: the signed result is for this URL alone"
        )
    raise DeliveryRefused(f"the callback was answered with {status}")


def _retry_after(reply: httpx.Response, now: float) -> float | None:
    """Return the seconds that the receiver asks to wait, as number or date."""
    text = reply.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_RETRY_AFTER)
    try:
        when = parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
    return min(max(0.0, when - now), LONGEST_RETRY_AFTER)


def _why(error: httpx.HTTPError) -> str:
    """Return a reason without the URL, which may have a token in it."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({seen.verify_message})"
        if isinstance(seen, ConnectionRefusedError):
            return "connection refused"
        seen = seen.__cause__ or seen.__context__
    return type(error).__name__
