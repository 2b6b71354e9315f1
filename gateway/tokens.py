"""Short-lived signed tokens: who somebody is and what they may do.

HS256 JSON Web Tokens with one audience and a required expiry. A token is never written
to a log or into an error message.
"""

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import jwt

from gateway.errors import TokenRefused
from gateway.keys import load_or_create_secret, signing_key, valid_keys

__all__ = ["Claims", "Scope", "load_or_create_secret", "mint", "verify"]

AUDIENCE = "cronium-gateway"
ALGORITHM = "HS256"


class Scope(StrEnum):
    """What a token is good for."""

    INGEST = "ingest"
    """Store lines; the subject is a worker id."""
    SERVICE = "service"
    """Everything; the subject is a service name."""
    USER = "user"
    """Read the executions of one user; read and write the user's variables."""
    EXECUTION = "execution"
    """Read one execution."""
    CODEC = "codec"
    """Have the codec server open and seal payloads; good for nothing here."""


@dataclass(frozen=True)
class Claims:
    """What a verified token says."""

    scope: Scope
    subject: str
    expires_at: float
    """Seconds since 1970."""


def mint(
    secret: str, scope: Scope, *, subject: str, lifetime_seconds: float = 3600
) -> str:
    """Return a token for `subject` that is good for `lifetime_seconds`."""
    now = time.time()
    claims = {
        "aud": AUDIENCE,
        "sub": subject,
        "scope": scope.value,
        "iat": int(now),
        "exp": int(now + lifetime_seconds),
    }
    return jwt.encode(claims, signing_key(secret), algorithm=ALGORITHM)


def verify(secret: str, token: str) -> Claims:
    """Return what the token says.

    Raises TokenRefused with the reason when the signature, the audience, the expiry or
    the scope is not right.
    """
    try:
        found = _decoded(secret, token)
        return Claims(Scope(found["scope"]), found["sub"], float(found["exp"]))
    except (jwt.InvalidTokenError, KeyError, ValueError, TypeError) as error:
        # `from None`: the text of the library's errors may hold parts of the token.
        raise TokenRefused(_reason(error)) from None


def _decoded(secret: str, token: str) -> dict[str, Any]:
    """Return the claims of a token that any valid key has signed."""
    keys = valid_keys(secret)
    for number, key in enumerate(keys, 1):
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                options={"require": ["exp", "aud", "sub"]},
            )
        except jwt.InvalidSignatureError:
            if number == len(keys):
                raise
    raise jwt.InvalidSignatureError


def _reason(error: Exception) -> str:
    match error:
        case jwt.ExpiredSignatureError():
            return "The token has expired."
        case jwt.InvalidAudienceError():
            return f"The token is not for this audience ({AUDIENCE})."
        case jwt.MissingRequiredClaimError():
            return f"The token has no claim `{error.claim}`."
        case jwt.InvalidSignatureError():
            return "The token was signed with another secret."
        case jwt.InvalidTokenError():
            return "The token is not a valid JSON Web Token of this gateway."
    return f"The token's scope is none of {', '.join(Scope)}."
