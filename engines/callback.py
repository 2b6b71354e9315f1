"""Callbacks: a result is POSTed to a URL, signed so that the receiver can trust it.

    X-Cronium-Timestamp: 1700000000
    X-Cronium-Signature: v1=hex(hmac_sha256(key, timestamp + "." + body))
    X-Cronium-Delivery:  the same for every try of one delivery

A receiver recomputes the signature over the raw body, compares in constant time,
refuses timestamps that are minutes old, and takes a delivery id that it has seen for
done. Trying again is left to the caller: an error says whether and when.
"""

from dataclasses import dataclass

from contracts.actions import CallbackAction
from contracts.limits import MAX_CALLBACK_BODY_BYTES
from contracts.results import ExecutionResult
from contracts.signatures import signature
from engines.posts import Fields, Poster
from engines.secrets import SecretStore

__all__ = ["CallbackSender", "body_of", "signature"]

DEFAULTS = {"Content-Type": "application/json", "User-Agent": "cronium"}


@dataclass(frozen=True, slots=True)
class CallbackSender:
    """Sends callbacks.

    Args:
        secrets: Where keys and headers are looked up.
        poster: What they are sent with.
    """

    secrets: SecretStore
    poster: Poster

    async def send(
        self, action: CallbackAction, result: ExecutionResult, delivery_id: str
    ) -> int:
        """POST a result once; return the status, which is 2xx.

        Args:
            action: Where to, and which key.
            result: What is sent, in camelCase; above 1 MiB without outputs, and
                `X-Cronium-Cut` names what is missing.
            delivery_id: Tells a repetition.

        Raises:
            SecretUnavailable: The key, or a header's secret, is not there.
            DeliveryFailed: It may succeed later, after `retry_after` seconds.
            DeliveryRefused: It will not.
        """
        body, cut = body_of(result)
        timestamp = str(int(self.poster.clock()))
        key = (await self.secrets.value(action.secret)).encode()
        headers = [
            *await self._headers(action),
            ("X-Cronium-Timestamp", timestamp),
            ("X-Cronium-Signature", signature(key, timestamp, body)),
            ("X-Cronium-Delivery", delivery_id),
            *([("X-Cronium-Cut", cut)] if cut else []),
        ]
        return await self.poster.post(
            action.url, body, headers, action.timeout_seconds, "the callback"
        )

    async def _headers(self, action: CallbackAction) -> Fields:
        own = [
            (header.name, (await self.secrets.value(header.secret)).strip())
            if header.secret is not None
            else (header.name, header.value or "")
            for header in action.headers
        ]
        named = {name.lower() for name, _ in own}
        return [
            *own,
            *((name, v) for name, v in DEFAULTS.items() if name.lower() not in named),
        ]


def body_of(result: ExecutionResult) -> tuple[bytes, str]:
    """Return the result as JSON, and what was left out since it was too large."""
    body = result.model_dump_json().encode()
    if len(body) <= MAX_CALLBACK_BODY_BYTES:
        return body, ""
    rows = [row.model_copy(update={"output": None}) for row in result.targets]
    result = result.model_copy(update={"targets": rows})
    body = result.model_dump_json().encode()
    if len(body) <= MAX_CALLBACK_BODY_BYTES:
        return body, "targets.output"
    result = result.model_copy(update={"output": None})
    return result.model_dump_json().encode(), "output, targets.output"
