"""What can go wrong with encrypted payloads: a branch of `contracts.errors`.

    CroniumError
    └── EncryptionError
        ├── EncryptionKeyMissing   a payload was written with a key that is not here
        ├── PayloadDamaged         the key is here, but does not open the payload
        └── KeyFileInvalid         the file of keys cannot be used

No message has a byte of a key or of a payload.
"""

from contracts.errors import CroniumError


class EncryptionError(CroniumError):
    """A payload cannot be encrypted or decrypted."""


class EncryptionKeyMissing(EncryptionError):
    """A payload was encrypted with a key that this process does not have."""

    retryable = True
    hint = (
        "Add this key to the file that CRONIUM_ENCRYPTION_KEYS_FILE names, or put it "
        "back if it was removed; the file is read again by itself."
    )


class PayloadDamaged(EncryptionError):
    """An encrypted payload was changed on its way, or is no payload of ours."""

    hint = (
        "Compare the key's check value (`cronium keys list`) on both sides: the same "
        "id must mean the same key. Otherwise the data was changed on its way."
    )


class KeyFileInvalid(EncryptionError):
    """The file of encryption keys cannot be used."""

    hint = "`cronium keys generate` makes one; docs/encryption.md shows its form."
