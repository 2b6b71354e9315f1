"""The payload codec: what Temporal stores of ours is sealed with the active key.

Arguments, results, signals, queries, updates, heartbeats, memos, summaries, headers and
failures go through it. What does not is listed in docs/encryption.md.
"""

import asyncio
from collections.abc import Sequence
from typing import Self

from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    ActivitySerializationContext,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
)

from contracts.encryption_errors import EncryptionKeyMissing, PayloadDamaged
from worker.codec.cipher import open_sealed, seal
from worker.codec.ring import KeyRing

ENCODING_FIELD, KEY_FIELD = "encoding", "encryption-key-id"
ENCRYPTED = b"binary/encrypted"
MAX_ID_CHARS = 64
# A host that refuses at once would draw every run of the queue to itself.
REFUSAL_SECONDS = 1.0


class EncryptionCodec(PayloadCodec, WithSerializationContext):
    """Seals and opens payloads.

    Without keys what is encoded stays as it is; what is decoded and is sealed is an
    error that names the key, not a puzzle.

    Args:
        ring: The keys.
        refusal_seconds: Wait before a payload is refused for want of its key, in which
            the key may come.
    """

    def __init__(self, ring: KeyRing, refusal_seconds: float = 0.0) -> None:
        self.ring = ring
        self._refusal_seconds = refusal_seconds

    def with_context(self, context: SerializationContext) -> Self:
        """See base class: what a host takes from a queue is not refused at once."""
        if isinstance(context, ActivitySerializationContext) and not context.is_local:
            return type(self)(self.ring, REFUSAL_SECONDS)
        return self

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """See base class."""
        key = self.ring.active
        if key is None:
            return list(payloads)
        return [
            payload
            if is_encrypted(payload)
            else Payload(
                metadata={ENCODING_FIELD: ENCRYPTED, KEY_FIELD: key.id.encode()},
                data=seal(key, payload.SerializeToString()),
            )
            for payload in payloads
        ]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """See base class.

        Raises:
            EncryptionKeyMissing: The key is not here.
            PayloadDamaged: The key does not open the payload.
        """
        try:
            return self._opened(payloads)
        except EncryptionKeyMissing:
            if not self._refusal_seconds:
                raise
        await asyncio.sleep(self._refusal_seconds)
        return self._opened(payloads)

    def _opened(self, payloads: Sequence[Payload]) -> list[Payload]:
        if not all(map(is_encrypted, payloads)):
            self.ring.note_plain_text()
        return [self._open(item) if is_encrypted(item) else item for item in payloads]

    def _open(self, payload: Payload) -> Payload:
        key_id = key_id_of(payload)
        if not key_id:
            raise PayloadDamaged("an encrypted payload does not say which key opens it")
        key = self.ring.key(key_id)
        try:
            return Payload.FromString(open_sealed(key, payload.data))
        except DecodeError:
            raise PayloadDamaged(
                f"what was sealed with the key {key_id} is no payload"
            ) from None


def is_encrypted(payload: Payload) -> bool:
    """Return whether a payload is sealed in our form."""
    return payload.metadata.get(ENCODING_FIELD) == ENCRYPTED


def key_id_of(payload: Payload) -> str:
    """Return the id of the key that sealed a payload; "" when it does not say."""
    text = payload.metadata.get(KEY_FIELD, b"").decode("utf-8", "replace")
    return text[:MAX_ID_CHARS]
