"""AES-256-GCM over one serialised payload.

Sealed bytes are nonce, ciphertext and tag, in this order. Nonces are random: by NIST
SP 800-38D, 8.3, a key may then seal 2^32 messages, so keys are rotated before that.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contracts.encryption_errors import PayloadDamaged
from worker.codec.keys import Key

NONCE_BYTES = 12
TAG_BYTES = 16
# Keeps what is sealed for Temporal apart from anything else under the same key.
PURPOSE = "cronium-payload-v1:"


def seal(key: Key, plain: bytes, nonce: bytes | None = None) -> bytes:
    """Return the bytes encrypted.

    Args:
        key: The active key.
        plain: What is to be kept secret.
        nonce: Only to check test vectors: the same nonce twice gives the key away.
    """
    chosen = os.urandom(NONCE_BYTES) if nonce is None else nonce
    return chosen + AESGCM(key.key).encrypt(chosen, plain, associated_data(key.id))


def open_sealed(key: Key, sealed: bytes) -> bytes:
    """Return what was sealed.

    Raises:
        PayloadDamaged: The bytes are not those that were sealed with this key.
    """
    if len(sealed) < NONCE_BYTES + TAG_BYTES:
        raise PayloadDamaged(f"a payload of key {key.id} was cut short")
    nonce, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    try:
        return AESGCM(key.key).decrypt(nonce, rest, associated_data(key.id))
    except InvalidTag:
        raise PayloadDamaged(
            f"a payload of key {key.id} was changed, or sealed with another key of "
            "that id"
        ) from None


def associated_data(key_id: str) -> bytes:
    """Return what is authenticated besides the content: its purpose and the key."""
    return (PURPOSE + key_id).encode()
