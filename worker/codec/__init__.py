"""Encryption of everything that Temporal keeps: keys, cipher, payload codec, server.

Byte format and rules are in docs/encryption.md; the TypeScript client speaks the same.
"""

from worker.codec.cipher import open_sealed, seal
from worker.codec.keys import Key, KeyFile
from worker.codec.payloads import EncryptionCodec
from worker.codec.ring import KeyRing

__all__ = ["EncryptionCodec", "Key", "KeyFile", "KeyRing", "open_sealed", "seal"]
