"""The payload codec: what Temporal stores of ours is sealed with the active key.

Arguments, results, signals, queries, updates, heartbeats, memos, summaries, headers and
failures go through it. What does not is listed in docs/encryption.md.
"""

from collections.abc import Sequence

from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from contracts.encryption_errors import PayloadDamaged
from worker.codec.cipher import open_sealed, seal
from worker.codec.ring import KeyRing

ENCODING_FIELD, KEY_FIELD = "encoding", "encryption-key-id"
ENCRYPTED = b"binary/encrypted"
MAX_ID_CHARS = 64


class EncryptionCodec(PayloadCodec):
    """Seals and opens payloads.

    Without keys what is encoded stays as it is; what is decoded and is sealed is an
    error that names the key, not a puzzle.

    Args:
        ring: The keys.
    """

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """See base class."""
        key = self._ring.active
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
        return [self._open(item) if is_encrypted(item) else item for item in payloads]

    def _open(self, payload: Payload) -> Payload:
        key_id = key_id_of(payload)
        if not key_id:
            raise PayloadDamaged("an encrypted payload does not say which key opens it")
        key = self._ring.key(key_id)
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
