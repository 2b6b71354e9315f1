"""JSON of users: read strictly, written compactly, compared by type."""

from typing import Any

import pytest

from contracts.json_values import read_json, same_json
from contracts.limits import MAX_JSON_DEPTH
from contracts.wire_text import json_text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Expecting value at line 1 column 1"),
        ('{"secret": x}', "at line 1 column 12"),
        ("[1,\n2,]", "at line 2"),
        ("-Infinity", "-Infinity is not a JSON number"),
        (b'"\xff"', "not valid UTF-8 at byte 1"),
        (b"\xff\xfe1\x00", "not valid UTF-8 at byte 0"),
        ("[" * 100_000, "nested more than 100 levels deep"),
        ("\ufeff1", "not valid JSON"),
    ],
)
def test_what_is_not_json_is_told_by_place_alone(text: str | bytes, words: str) -> None:
    with pytest.raises(ValueError, match=r"not valid|nested") as caught:
        read_json(text)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)


def test_integers_of_any_size_stay_integers() -> None:
    assert read_json(str(10**60)) == 10**60
    assert json_text(10**60) == str(10**60)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (float("nan"), "NaN"),
        ([float("inf")], "Infinity"),
        ({"a": "\ud800"}, "surrogate"),
        ({"\udfff": 1}, "surrogate"),
    ],
)
def test_what_no_parser_could_read_is_not_written(value: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        json_text(value)


def nested(levels: int) -> Any:
    value: Any = 0
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


def test_values_may_be_nested_so_deep_and_no_deeper() -> None:
    deepest = nested(MAX_JSON_DEPTH)
    assert read_json(json_text(deepest)) == deepest
    assert json_text([[]] * 200) == "[" + ",".join(["[]"] * 200) + "]"
    for levels in (MAX_JSON_DEPTH + 1, 100_000):
        with pytest.raises(ValueError, match="more than 100"):
            json_text(nested(levels))


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        (0, None, False),
        ("1", 1, False),
        ("", None, False),
        ([1, {"a": 1}], [1.0, {"a": 1}], True),
        ([1, {"a": 1}], [1, {"a": True}], False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": None}, {}, False),
        ([], {}, False),
        ([1], [1, 2], False),
        (2**70, 2**70 + 1, False),
    ],
)
def test_values_are_equal_by_type_and_content(
    left: Any, right: Any, same: bool
) -> None:
    assert same_json(left, right) is same
    assert same_json(right, left) is same
