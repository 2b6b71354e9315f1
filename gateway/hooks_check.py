"""Decides whether a call of a webhook comes from somebody who knows the secret."""

import re
from dataclasses import dataclass

from starlette.datastructures import Headers

from contracts.hooks import HookSignature, HookSpec
from contracts.signatures import (
    GITHUB_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    github_signature,
    is_signed,
    signature,
)
from gateway.hooks_errors import HookSignatureInvalid, HookStale, HookUnsigned
from gateway.hooks_ledger import digest

GITHUB_MEMORY_SECONDS = 30 * 86_400.0
"""A signature without a time is remembered this long; see `docs/webhooks.md`."""
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class Proof:
    """A signature that is right."""

    identity: str
    """What it covers: the same call has the same, whichever secret signed it."""
    remember_seconds: float


def prove(
    spec: HookSpec, secrets: list[bytes], headers: Headers, body: bytes, now: float
) -> Proof:
    """Return the proof that a call is genuine.

    Args:
        spec: The hook.
        secrets: Its valid secrets.
        headers: Of the call.
        body: The bytes that came.
        now: Seconds since 1970.

    Raises HookUnsigned, HookSignatureInvalid, or HookStale.
    """
    given = headers.get(SIGNATURE_HEADER)
    if given is not None and HookSignature.CRONIUM in spec.signatures:
        timestamp = headers.get(TIMESTAMP_HEADER, "")
        return _timed(spec, secrets, timestamp, given, body, now)
    given = headers.get(GITHUB_HEADER)
    if given is not None and HookSignature.GITHUB in spec.signatures:
        return _untimed(secrets, given, body)
    raise _unsigned(spec)


def _timed(
    spec: HookSpec,
    secrets: list[bytes],
    timestamp: str,
    given: str,
    body: bytes,
    now: float,
) -> Proof:
    right = [signature(secret, timestamp, body) for secret in secrets]
    if not is_signed(given, right):
        raise HookSignatureInvalid
    # After the signature: only who knows the secret is told about the clock.
    if not _TIMESTAMP.fullmatch(timestamp):
        raise HookStale(
            f"{TIMESTAMP_HEADER}: expected whole seconds since 1970.",
            hint="Send the time in seconds, and sign exactly that text.",
        )
    apart = now - int(timestamp)
    if abs(apart) > spec.tolerance_seconds:
        side = "behind" if apart > 0 else "ahead of"
        raise HookStale(
            f"{TIMESTAMP_HEADER} is {min(abs(apart), 1e9):.0f} s {side} the gateway's "
            f"clock; at most {spec.tolerance_seconds} s are allowed."
        )
    return Proof(
        digest(f"cronium/{int(timestamp)}/{digest(body)}"),
        # It may be ahead by the tolerance and then is good for twice as long.
        2.0 * spec.tolerance_seconds + 60,
    )


def _untimed(secrets: list[bytes], given: str, body: bytes) -> Proof:
    if not is_signed(given, [github_signature(secret, body) for secret in secrets]):
        raise HookSignatureInvalid
    return Proof(digest(f"github/{digest(body)}"), GITHUB_MEMORY_SECONDS)


def _unsigned(spec: HookSpec) -> HookUnsigned:
    wanted = {
        HookSignature.CRONIUM: f"`{SIGNATURE_HEADER}` with `{TIMESTAMP_HEADER}`",
        HookSignature.GITHUB: f"`{GITHUB_HEADER}`",
    }
    names = " or ".join(wanted[form] for form in spec.signatures)
    return HookUnsigned(
        "The call has no signature that this hook takes.", hint=f"Send {names}."
    )
