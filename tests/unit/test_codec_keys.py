"""The file of keys, and the ring that follows it."""

import base64
import json
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contracts.encryption_errors import EncryptionKeyMissing, KeyFileInvalid
from worker.codec import Key, KeyFile, KeyRing
from worker.codec.keys import read_keys, write_keys
from worker.codec.ring import LOOK_SECONDS, MAX_MISSED, MISSED_SECONDS, WARN_SECONDS

GOOD = {"id": "a", "key": base64.b64encode(b"k" * 32).decode()}
PLANTED = "cGxhbnRlZC1zZWNyZXQ"


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self) -> None:
        self.now += LOOK_SECONDS


def write(path: Path, *ids: str) -> None:
    """Write a file whose last key is active."""
    keys = [Key(id=name, key=name.encode().ljust(32, b".")) for name in ids]
    write_keys(path, KeyFile(active=ids[-1], keys=keys))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, "active: required"),
        ({"active": "a"}, "keys: required"),
        ({"active": "a", "keys": []}, "keys: "),
        ({"active": "b", "keys": [GOOD]}, "active: expected the id of one of `keys`"),
        ({"active": "a", "keys": [GOOD, GOOD]}, "keys[0].id: the id is there twice"),
        ({"active": "a", "keys": [{**GOOD, "key": PLANTED}]},
         "keys[0].key: expected standard base64"),
        ({"active": "a", "keys": [{**GOOD, "key": PLANTED + "="}]},
         "keys[0].key: expected base64 of 32 bytes, these are 14"),
        ({"active": "a", "keys": [{**GOOD, "key": 7}]}, "keys[0].key"),
        ({"active": "a", "keys": [{**GOOD, "id": "a b"}]}, "keys[0].id"),
        ({"active": "a", "keys": [{**GOOD, "kez": PLANTED}]}, "keys[0].kez"),
        ({"active": "a", "keys": [GOOD], "version": 2}, "version"),
        ({"active": "a", "keys": [{**GOOD, "created": "2026-01-01T00:00:00"}]},
         "keys[0].created"),
        ("{" + PLANTED, "this is not JSON"),
    ],
    ids=lambda value: value if isinstance(value, str) else "file",
)  # fmt: skip
def test_a_bad_file_is_refused_with_its_field_and_without_its_content(
    content: Any, words: str, tmp_path: Path
) -> None:
    file = tmp_path / "keys.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(KeyFileInvalid) as caught:
        read_keys(file)
    assert words in str(caught.value)
    assert str(file) in str(caught.value)
    assert PLANTED not in str(caught.value)
    assert "cronium keys generate" in caught.value.user_hint


def test_a_file_that_is_missing_or_open_to_all_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    with pytest.raises(KeyFileInvalid, match="No such file"):
        KeyRing(file)
    write(file, "a")
    file.chmod(0o606)
    with pytest.raises(KeyFileInvalid, match="written by everybody") as caught:
        KeyRing(file)
    assert "chmod 600" in caught.value.user_hint


def test_a_written_file_is_private_and_says_the_same_when_read(tmp_path: Path) -> None:
    made = Key.generate()
    file = tmp_path / "new" / "keys.json"
    write_keys(file, KeyFile(active=made.id, keys=[made]))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    found = read_keys(file).find(made.id)
    assert found == made
    assert [child.name for child in file.parent.iterdir()] == ["keys.json"]


def test_a_key_shows_itself_in_no_repr() -> None:
    made = Key(id="a", key=b"k" * 32)
    assert "kkkk" not in repr(KeyFile(active="a", keys=[made]))
    assert GOOD["key"] not in repr(made)


def test_check_values_tell_keys_apart() -> None:
    one, two = Key.generate("a"), Key.generate("a")
    assert one.check == Key(id="b", key=one.key).check
    assert one.check != two.check
    assert len(one.check) == 8


def test_a_ring_follows_its_file(tmp_path: Path) -> None:
    file, clock = tmp_path / "keys.json", Clock()
    write(file, "old")
    ring = KeyRing(file, clock)
    write(file, "old", "new")
    assert ring.active is not None
    assert ring.active.id == "old", "the file is not looked at for each payload"
    clock.pass_by()
    assert ring.active.id == "new"
    assert ring.key("old").id == "old"
    write(file, "new")
    clock.pass_by()
    with pytest.raises(EncryptionKeyMissing, match="old"):
        ring.key("old")


def test_an_unknown_key_is_looked_for_at_once(tmp_path: Path) -> None:
    file, clock = tmp_path / "keys.json", Clock()
    write(file, "old")
    ring = KeyRing(file, clock)
    write(file, "new", "old")
    assert ring.key("new").id == "new"


@pytest.mark.parametrize("broken", ["gone", "rubbish"])
def test_a_broken_file_takes_no_key_away_and_is_told(
    broken: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file, clock = tmp_path / "keys.json", Clock()
    write(file, "a")
    ring = KeyRing(file, clock)
    if broken == "gone":
        file.unlink()
    else:
        file.write_text("{")
    for _ in range(3):
        clock.pass_by()
        assert ring.key("a").id == "a"
    assert ring.problem is not None
    assert str(file) in ring.problem
    assert caplog.text.count("the keys stay as they were") == 1
    write(file, "a", "b")
    clock.pass_by()
    assert ring.problem is None
    assert ring.active is not None
    assert ring.active.id == "b"


def test_a_key_asked_for_in_vain_is_a_problem_until_it_comes(tmp_path: Path) -> None:
    file, clock = tmp_path / "keys.json", Clock()
    write(file, "a")
    ring = KeyRing(file, clock)
    for name in ("b", "c"):
        with pytest.raises(EncryptionKeyMissing):
            ring.key(name)
    assert ring.problem == "payloads cannot be read: no key b, c here"
    write(file, "b", "a")
    clock.pass_by()
    assert ring.problem == "payloads cannot be read: no key c here"
    clock.now += MISSED_SECONDS
    assert ring.problem is None


def test_plain_text_is_warned_of_once_an_hour(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file, clock = tmp_path / "keys.json", Clock()
    write(file, "a")
    rings = [KeyRing(file, clock), KeyRing(None, clock)]
    for hour in range(2):
        for ring in rings:
            for _ in range(5):
                ring.note_plain_text()
        assert caplog.text.count("payloads come as plain text") == hour + 1
        clock.now += WARN_SECONDS


def test_strangers_cannot_fill_the_memory_with_ids() -> None:
    ring = KeyRing(None)
    for number in range(10 * MAX_MISSED):
        with pytest.raises(EncryptionKeyMissing):
            ring.key(f"k{number}")
    assert ring.problem is not None
    assert ring.problem.count("k") < MAX_MISSED + 10
