"""Redaction against a plain model of it: any values, any text, any cut."""

import base64
import itertools
import os
import re
import subprocess
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logstream import Redactor
from logstream.redact import MASK, forms_of

# Few letters, so that values overlap, contain and begin each other.
VALUES = st.lists(st.text("ab\n", min_size=4, max_size=9), min_size=1, max_size=4)
CUTS = st.lists(st.integers(0, 10_000), max_size=10)


def masked(secrets: list[str], data: bytes, places: list[int]) -> bytes:
    stream = Redactor(secrets).stream()
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    pieces = [stream.feed(data[a:b]) for a, b in itertools.pairwise(edges)]
    return b"".join([*pieces, stream.flush()])


def model(secrets: list[str], data: bytes) -> bytes:
    """From left to right, the longest form that stands here becomes the mask."""
    forms = sorted({f for s in secrets for f in forms_of(s)}, key=len, reverse=True)
    out, at = b"", 0
    while at < len(data):
        form = next((f for f in forms if data.startswith(f, at)), None)
        out += MASK if form else data[at : at + 1]
        at += len(form) if form else 1
    return out


@given(VALUES, st.text("ab\n", max_size=80), CUTS)
@settings(max_examples=400, deadline=None)
def test_overlapping_secrets_are_masked_as_the_model_says(
    secrets: list[str], text: str, places: list[int]
) -> None:
    assert masked(secrets, text.encode(), places) == model(secrets, text.encode())


@given(
    st.text(min_size=4, max_size=40).filter(lambda s: len(s.strip()) >= 4),
    st.binary(max_size=20),
    st.integers(0, 2),
    CUTS,
)
@settings(max_examples=200, deadline=None)
def test_base64_around_a_secret_gives_nothing_of_it_away(
    secret: str, after: bytes, shift: int, places: list[int]
) -> None:
    value = secret.encode()
    text = base64.b64encode(b"\0" * shift + value + after)
    out = masked([secret], text, places)
    # Letters that depend on the value alone.
    core = text[(shift * 8 + 5) // 6 : (shift + len(value)) * 8 // 6]
    assert core not in out
    assert MASK in out


@pytest.mark.parametrize("arguments", [[], ["-w", "64"], ["-w", "0"]])
def test_what_base64_prints_in_lines_is_masked(arguments: list[str]) -> None:
    secret = base64.b85encode(os.urandom(200)).decode()
    text = subprocess.run(
        ["base64", *arguments], input=secret.encode(), capture_output=True, check=True
    ).stdout
    for places in ([], [10], [70, 78, 120], list(range(len(text)))):
        out = masked([secret], text, places)
        assert len(out) <= len(MASK) + 4
        assert out.startswith(MASK)


def test_a_secret_of_8_kilobytes_is_found_in_single_bytes() -> None:
    secret = os.urandom(4096).hex()
    text = b"<" + secret.encode() + b">\n"
    assert masked([secret], text, list(range(0, len(text), 7))) == b"<***>\n"
    assert masked([secret], text[:-10], [5000]) == text[:-10], "not whole: no secret"


def test_many_values_that_begin_alike_can_be_masked() -> None:
    secrets = ["a" * size for size in range(4, 200)]
    assert masked(secrets, b"a" * 199 + b"b" + b"a" * 50, [20, 210]) == b"***b***"


def test_innocent_text_stays_while_secrets_are_known() -> None:
    text = b"nothing to see here, \xff\x00\r\n" * 50
    assert masked(["hunter2-secret", "another one"], text, [3, 99, 500]) == text


def test_a_key_file_does_not_slow_the_output_down() -> None:
    lines = [base64.b64encode(os.urandom(48)).decode() for _ in range(25)]
    key = "\n".join(["-----BEGIN KEY-----", *lines, "-----END KEY-----"])
    stream = Redactor([key]).stream()
    chunk = b"the quick brown fox jumps over the lazy dog 0123456789\n" * 1190
    plain = re.compile(b"|".join(map(re.escape, forms_of(key))))
    assert took(lambda: stream.feed(chunk)) < took(lambda: plain.sub(b"", chunk)) / 3


def took(work: Callable[[], object]) -> float:
    """Processor time of the quickest of three."""
    times = []
    for _ in range(3):
        begin = time.process_time()
        work()
        times.append(time.process_time() - begin)
    return min(times)
