"""The Bash helper tells JSON from other text as Python does."""

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

import sdk

FOLDER = Path(sdk.__file__).parent / "bash"
SCAN = (
    f". {FOLDER}/json.sh; . {FOLDER}/request.sh; set -euo pipefail\n"
    "while IFS= read -r -d '' text; do\n"
    'if _cronium_valid "$text"; then echo yes; else echo no; fi; done'
)
LEAVES = [0, -1.5, 1e30, 10**30, "a", '"\\/\b\t', "ü☃", True, False, None, "", [], {}]
CHANGES = '[]{},:"\\0-1e.tn \n\x01\x7f'


def is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=_refuse)
    except ValueError:
        return False
    return True


def _refuse(word: str) -> None:
    raise ValueError(word)


def said(texts: list[str]) -> list[bool]:
    sent = "".join(f"{text}\0" for text in texts).encode()
    done = subprocess.run(["bash", "-c", SCAN], input=sent, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    return [line == "yes" for line in done.stdout.decode().splitlines()]


@pytest.mark.parametrize(
    "text",
    [
        *('{"a": [1, {"b": null}]}', '[[], {}, ""]', ' [ 1 , 2 ]\n', '"\\u00e9\\n"'),
        *('{"":0}', "[-0.5e+3]", '"\x7f"', '"ü"'),
        *("[1,]", "{,}", '{"a":1,}', "[1 2]", "[01]", "[-]", "{}}", "[}", "[1]x"),
        *('"a\nb"', "[nul]", "[truefalse]", "[1,2", '{"a":1},"b":2', '{"a"}', "[NaN]"),
        *('{1:2}', "[:]", '"\\x"', '"\\', '"', "[", "", '[1]]', '["a"b]', '{"a":}'),
    ],
)  # fmt: skip
def test_it_is_told_what_is_json(text: str) -> None:
    assert said([text]) == [is_json(text)]


def test_it_agrees_with_python_on_thousands_of_texts() -> None:
    chance = random.Random(1)
    texts = []
    for _ in range(700):
        text = json.dumps(value(chance), ensure_ascii=chance.random() < 0.5)
        texts += [text, *(changed(chance, text) for _ in range(2))]
    texts = [text for text in texts if "\0" not in text and len(text) <= 400]
    expected = [is_json(text) for text in texts]
    assert 500 < expected.count(True) < len(texts) - 500
    found = zip(texts, expected, said(texts), strict=True)
    assert [text for text, wanted, got in found if wanted != got] == []


def value(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.random()
    if depth > 4 or kind < 0.5:
        return chance.choice(LEAVES)
    if kind < 0.75:
        return [value(chance, depth + 1) for _ in range(chance.randint(0, 3))]
    keys = chance.sample("abcé", chance.randint(0, 3))
    return {key: value(chance, depth + 1) for key in keys}


def changed(chance: random.Random, text: str) -> str:
    letters = list(text)
    for _ in range(chance.randint(1, 2)):
        place = chance.randrange(len(letters) + 1)
        if chance.random() < 0.5 and letters:
            letters.pop(min(place, len(letters) - 1))
        else:
            letters.insert(place, chance.choice(CHANGES))
    return "".join(letters)


@pytest.mark.parametrize("valid", [True, False], ids=["JSON", "not JSON"])
def test_long_texts_are_told_as_well(valid: bool) -> None:
    text = json.dumps(list(range(1000)))
    assert said([text if valid else text[:-1]]) == [valid]
