"""Short-lived signed tokens: who somebody is and what they may do.

HS256 JSON Web Tokens with one audience and a required expiry. A token is never written
to a log or into an error message.
"""

import contextlib
import os
import secrets
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import jwt

from gateway.errors import TokenRefused

AUDIENCE = "cronium-gateway"
ALGORITHM = "HS256"
_SECRET_BYTES = 32


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
    return jwt.encode(claims, secret, algorithm=ALGORITHM)


def verify(secret: str, token: str) -> Claims:
    """Return what the token says.

    Raises TokenRefused with the reason when the signature, the audience, the expiry or
    the scope is not right.
    """
    try:
        found = jwt.decode(
            token,
            secret,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            options={"require": ["exp", "aud", "sub"]},
        )
        return Claims(Scope(found["scope"]), found["sub"], float(found["exp"]))
    except (jwt.InvalidTokenError, KeyError, ValueError, TypeError) as error:
        # `from None`: the text of the library's errors may hold parts of the token.
        raise TokenRefused(_reason(error)) from None


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


def load_or_create_secret(path: Path) -> str:
    """Return the secret in the file `path`; make one of 32 random bytes if missing.

    Processes that start at the same moment agree: the file appears complete or not at
    all, and the first one wins.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        _create(path)
    secret = path.read_text(encoding="ascii").strip()
    if len(secret) < _SECRET_BYTES:
        raise TokenRefused(
            f"The secret in {path} is shorter than {_SECRET_BYTES} characters.",
            hint="Delete the file; a good one is made at the next start.",
        )
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    return secret


def _create(path: Path) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        # A hard link fails when the name is taken, where a rename would replace it.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
