"""Encrypted payloads: the shared vectors, and what is refused."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload

import contracts.encryption_errors
from contracts.encryption_errors import EncryptionKeyMissing, PayloadDamaged
from worker.codec import EncryptionCodec, KeyFile, KeyRing, open_sealed, seal
from worker.codec.cipher import associated_data
from worker.codec.keys import write_keys

VECTORS = json.loads(
    (Path(__file__).parents[1] / "vectors/codec.json").read_text(encoding="utf-8")
)
FILE = KeyFile.model_validate(VECTORS["keyFile"])
NAMES = [vector["name"] for vector in VECTORS["vectors"]]
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'"x"')


def data(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def payload(shown: dict[str, Any]) -> Payload:
    metadata = {name: data(value) for name, value in shown["metadata"].items()}
    return Payload(metadata=metadata, data=data(shown["data"]))


@pytest.fixture
def codec(tmp_path: Path) -> EncryptionCodec:
    write_keys(tmp_path / "keys.json", FILE)
    return EncryptionCodec(KeyRing(tmp_path / "keys.json"))


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=NAMES)
def test_a_vector_is_sealed_to_the_same_bytes(vector: dict[str, Any]) -> None:
    key = FILE.find(vector["keyId"])
    assert key is not None
    sealed = seal(key, data(vector["serialized"]), data(vector["nonce"]))
    assert sealed == data(vector["encrypted"]["data"])
    assert open_sealed(key, sealed) == data(vector["serialized"])
    assert associated_data(key.id).decode() == vector["aad"]


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=NAMES)
async def test_a_vector_is_opened(
    vector: dict[str, Any], codec: EncryptionCodec
) -> None:
    assert await codec.decode([payload(vector["encrypted"])]) == [
        payload(vector["payload"])
    ]


@pytest.mark.parametrize(
    "case", VECTORS["refused"], ids=[case["name"] for case in VECTORS["refused"]]
)
async def test_what_cannot_be_opened_is_an_error_that_names_the_key(
    case: dict[str, Any], codec: EncryptionCodec
) -> None:
    kind = getattr(contracts.encryption_errors, case["error"])
    with pytest.raises(kind) as caught:
        await codec.decode([payload(case["encrypted"])])
    assert type(caught.value) is kind
    assert caught.value.user_hint
    if case["names"]:
        assert case["names"] in str(caught.value)


async def test_a_round_trip_tells_nothing_on_the_way(codec: EncryptionCodec) -> None:
    secret = Payload(metadata={"encoding": b"json/plain"}, data=b'"correct horse"')
    once, again = (await codec.encode([secret]))[0], (await codec.encode([secret]))[0]
    assert once.data != again.data, "each payload has a nonce of its own"
    assert b"horse" not in once.SerializeToString()
    assert b"json/plain" not in once.SerializeToString()
    assert once.metadata["encryption-key-id"] == FILE.active.encode()
    assert await codec.decode([once, again]) == [secret, secret]


async def test_plain_payloads_are_read_and_sealed_ones_are_not_sealed_twice(
    codec: EncryptionCodec,
) -> None:
    assert await codec.decode([PLAIN]) == [PLAIN]
    (sealed,) = await codec.encode([PLAIN])
    assert await codec.encode([sealed]) == [sealed]


async def test_without_keys_nothing_changes_but_sealed_ones_are_named(
    codec: EncryptionCodec,
) -> None:
    plain = EncryptionCodec(KeyRing(None))
    assert await plain.encode([PLAIN]) == [PLAIN]
    (sealed,) = await codec.encode([PLAIN])
    with pytest.raises(EncryptionKeyMissing, match=f"{FILE.active}.* has no keys"):
        await plain.decode([sealed])


@pytest.mark.parametrize("place", range(0, 45, 4))
async def test_any_changed_byte_is_noticed(place: int, codec: EncryptionCodec) -> None:
    (sealed,) = await codec.encode([PLAIN])
    changed = bytearray(sealed.data)
    changed[place] ^= 1
    sealed.data = bytes(changed)
    with pytest.raises(PayloadDamaged):
        await codec.decode([sealed])


async def test_a_strange_key_id_is_shown_safely(codec: EncryptionCodec) -> None:
    strange = "\x1b[31m" + "x" * 500
    sealed = Payload(
        metadata={
            "encoding": b"binary/encrypted",
            "encryption-key-id": strange.encode(),
        }
    )
    with pytest.raises(EncryptionKeyMissing) as caught:
        await codec.decode([sealed])
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 200
