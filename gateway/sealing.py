"""Seals small secrets before they are stored: AES-256-GCM under the gateway's secret.

The key is derived (HKDF-SHA256, RFC 5869), so that the database alone gives nothing
away, and a text is bound to its place: copied to another row it does not open.
"""

import base64
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.keys import all_keys, signing_key

_KEY_BYTES, _NONCE_BYTES = 32, 12
_PURPOSE = b"cronium gateway: sealed secrets, version 1"


class SealBroken(Exception):
    """The text was sealed under another secret, for another place, or is damaged."""


def seal(secret: str, place: str, text: str) -> str:
    """Return `text` sealed for `place`, as printable characters."""
    nonce = os.urandom(_NONCE_BYTES)
    cipher = AESGCM(_derived(signing_key(secret)))
    sealed = cipher.encrypt(nonce, text.encode(), place.encode())
    return base64.b64encode(nonce + sealed).decode()


def unseal(secret: str, place: str, sealed: str) -> str:
    """Return what was sealed for `place` under the key of now or one before.

    Raises SealBroken.
    """
    for key in all_keys(secret):
        try:
            data = base64.b64decode(sealed)
            nonce, rest = data[:_NONCE_BYTES], data[_NONCE_BYTES:]
            return AESGCM(_derived(key)).decrypt(nonce, rest, place.encode()).decode()
        except (InvalidTag, ValueError):
            continue
    raise SealBroken


def is_current(secret: str, place: str, sealed: str) -> bool:
    """Return whether a text is sealed under the key of now."""
    try:
        unseal(signing_key(secret), place, sealed)
    except SealBroken:
        return False
    return True


def _derived(key: str) -> bytes:
    hkdf = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=_PURPOSE)
    return hkdf.derive(key.encode())
