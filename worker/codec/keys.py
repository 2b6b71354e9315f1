"""The file of encryption keys: its form, how it is read, how it is written.

JSON with one active key, which writes, and any number that only read.
"""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import stat
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AwareDatetime,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    model_validator,
)

from contracts.base import WireModel
from contracts.encryption_errors import KeyFileInvalid
from contracts.validation import problems_of, sentence

KEY_BYTES = 32
KEY_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
# A file of more is no key file; it is read into memory.
MAX_FILE_BYTES = 1 << 20
MAX_KEYS = 1000


def _key_bytes(value: object) -> bytes:
    if isinstance(value, bytes) and len(value) == KEY_BYTES:
        return value
    try:
        if not isinstance(value, str):
            raise ValueError
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("expected standard base64") from None
    if len(data) != KEY_BYTES:
        raise ValueError(f"expected base64 of {KEY_BYTES} bytes, these are {len(data)}")
    return data


def _key_text(value: bytes) -> str:
    return base64.b64encode(value).decode()


KeyBytes = Annotated[
    bytes, PlainValidator(_key_bytes), PlainSerializer(_key_text, return_type=str)
]
KeyId = Annotated[str, Field(pattern=KEY_ID_PATTERN)]


class Key(WireModel):
    """One key of AES-256."""

    id: KeyId
    key: KeyBytes = Field(repr=False)
    created: AwareDatetime | None = None

    @classmethod
    def generate(cls, key_id: str | None = None) -> Self:
        """Return a fresh random key; its id is the day and a random part."""
        now = datetime.now(UTC).replace(microsecond=0)
        chosen = key_id or f"{now:%Y-%m-%d}-{secrets.token_hex(3)}"
        return cls(id=chosen, key=secrets.token_bytes(KEY_BYTES), created=now)

    @property
    def check(self) -> str:
        """Eight hex digits that are the same for the same key, and give nothing away.

        They are of an HMAC under the key (RFC 2104), whose output tells no more of the
        key than a random function's would.
        """
        return hmac.new(self.key, b"cronium-key-check", hashlib.sha256).hexdigest()[:8]


class KeyFile(WireModel):
    """The content of a key file."""

    version: Literal[1] = 1
    active: KeyId
    """Id of the key that writes."""
    keys: list[Key] = Field(min_length=1, max_length=MAX_KEYS)

    @model_validator(mode="after")
    def _ids_fit(self) -> Self:
        counts = Counter(key.id for key in self.keys)
        twice = next((index for index, key in enumerate(self.keys)
                      if counts[key.id] > 1), None)  # fmt: skip
        if twice is not None:
            raise ValueError(f"keys[{twice}].id: the id is there twice")
        if self.active not in counts:
            raise ValueError("active: expected the id of one of `keys`")
        return self

    def find(self, key_id: str) -> Key | None:
        """Return a key by its id."""
        return next((key for key in self.keys if key.id == key_id), None)


def read_keys(path: Path) -> KeyFile:
    """Return the content of a key file.

    Raises:
        KeyFileInvalid: It cannot be read, may be written by everybody, or has not the
            right form; the message names the field and never has a value.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise KeyFileInvalid(f"cannot read {path}: {error.strerror}") from None
    if mode & stat.S_IWOTH:
        raise KeyFileInvalid(
            f"{path} may be written by everybody", hint=f"Run `chmod 600 {path}`."
        )
    if len(data) > MAX_FILE_BYTES:
        raise KeyFileInvalid(f"{path} has more than {MAX_FILE_BYTES} bytes")
    try:
        return KeyFile.model_validate_json(data)
    except ValidationError as error:
        raise KeyFileInvalid(f"{path}: {_reason(error)}") from None


def write_keys(path: Path, content: KeyFile) -> None:
    """Write a key file with mode 0600; readers see the old one or the new one.

    Raises:
        KeyFileInvalid: The directory does not take it.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(content.model_dump_json(indent=2, by_alias=True) + "\n")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise KeyFileInvalid(f"cannot write {path}: {error.strerror}") from None


def _reason(error: ValidationError) -> str:
    if any(item["type"] == "json_invalid" for item in error.errors()):
        return "this is not JSON"
    return sentence(problems_of(error, KeyFile))
