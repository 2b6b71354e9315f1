"""Write tests/vectors/codec.json: what Python and TypeScript must both read and write.

Keys and nonces are fixed on purpose, and good for nothing else.
"""

import base64
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from temporalio.api.common.v1 import Payload  # noqa: E402

from worker.codec import Key, KeyFile, seal  # noqa: E402
from worker.codec.cipher import associated_data  # noqa: E402
from worker.codec.payloads import ENCODING_FIELD, ENCRYPTED, KEY_FIELD  # noqa: E402

VECTORS = ROOT / "tests/vectors/codec.json"
OLD = Key(id="2025-01-01-old", key=bytes(range(32)), created="2025-01-01T00:00:00Z")
NEW = Key(id="2026-01-01-new", key=bytes(range(255, 223, -1)))
JSON = {ENCODING_FIELD: b"json/plain"}
PLAIN = {
    "json object": (JSON, '{"greeting":"grüß dich","n":1}'.encode()),
    "json with a secret": (JSON, b'{"password":"correct horse"}'),
    "empty data": (JSON, b""),
    "null": ({ENCODING_FIELD: b"binary/null"}, b""),
    "bytes": ({ENCODING_FIELD: b"binary/plain"}, bytes(range(256))),
    "two metadata fields": ({**JSON, "messageType": b"a.B"}, b"{}"),
    "large": (JSON, json.dumps("x" * 2_000).encode()),
}


def text(data: bytes) -> str:
    """Return bytes as JSON has them."""
    return base64.b64encode(data).decode()


def shown(payload: Payload) -> dict[str, Any]:
    """Return a payload in the JSON form of its proto."""
    metadata = {name: text(value) for name, value in sorted(payload.metadata.items())}
    return {"metadata": metadata, "data": text(payload.data)}


def sealed(key_id: str, data: bytes) -> Payload:
    """Return the payload around sealed bytes."""
    metadata = {ENCODING_FIELD: ENCRYPTED, KEY_FIELD: key_id.encode()}
    return Payload(metadata=metadata, data=data)


def vector(number: int, name: str, key: Key) -> dict[str, Any]:
    """Return one payload, plain and sealed."""
    metadata, data = PLAIN[name]
    payload = Payload(metadata=metadata, data=data)
    plain = payload.SerializeToString(deterministic=True)
    nonce = bytes([number]) * 12
    return {
        "name": f"{name}, key {key.id}",
        "keyId": key.id,
        "nonce": text(nonce),
        "aad": associated_data(key.id).decode(),
        "payload": shown(payload),
        "serialized": text(plain),
        "encrypted": shown(sealed(key.id, seal(key, plain, nonce))),
    }


def refused() -> list[dict[str, Any]]:
    """Return what nobody may read."""
    plain = Payload(metadata=JSON, data=b"1").SerializeToString()
    good = seal(NEW, plain, bytes(12))
    flipped = good[:-1] + bytes([good[-1] ^ 1])
    unknown = Key(id="somebody-elses", key=bytes(32))
    nameless = Payload(metadata={ENCODING_FIELD: ENCRYPTED}, data=good)
    cases = [
        ("unknown key", sealed(unknown.id, seal(unknown, plain, bytes(12))),
         "EncryptionKeyMissing", unknown.id),
        ("changed tag", sealed(NEW.id, flipped), "PayloadDamaged", NEW.id),
        ("another key's id", sealed(OLD.id, good), "PayloadDamaged", OLD.id),
        ("cut short", sealed(NEW.id, good[:27]), "PayloadDamaged", NEW.id),
        ("no data", sealed(NEW.id, b""), "PayloadDamaged", NEW.id),
        ("no payload inside", sealed(NEW.id, seal(NEW, b"\xff\xff", bytes(12))),
         "PayloadDamaged", NEW.id),
        ("no key id", nameless, "PayloadDamaged", None),
    ]  # fmt: skip
    return [
        {"name": name, "encrypted": shown(payload), "error": error, "names": key_id}
        for name, payload, error, key_id in cases
    ]


def main() -> None:
    """Write the file."""
    file = KeyFile(active=NEW.id, keys=[OLD, NEW])
    content = {
        "version": 1,
        "keyFile": file.model_dump(mode="json", by_alias=True, exclude_none=True),
        "vectors": [
            vector(number, name, key)
            for number, (name, key) in enumerate(
                [*((name, NEW) for name in PLAIN), ("json object", OLD)], 1
            )
        ],
        "refused": refused(),
    }
    VECTORS.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
