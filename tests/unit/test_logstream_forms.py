"""Secrets as other programs print them are masked too."""

import json
import shlex
from urllib.parse import quote

import pytest

from logstream import Redactor

SECRET = "p@ss w0rd!~*'<&>\\x/ü"


def as_go_json(value: str) -> str:
    text = json.dumps(value, ensure_ascii=False)
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


@pytest.mark.parametrize(
    "shown",
    [
        quote(SECRET, safe="!~*'()"),
        quote(SECRET, safe="*").replace("%20", "+").replace("~", "%7E"),
        quote(SECRET, safe="*").replace("%20", "+").replace("~", "%7E").lower(),
        as_go_json(SECRET),
        json.dumps(SECRET).replace("\\u00fc", "\\u00FC"),
        repr(SECRET),
        SECRET.replace("'", "'\\''"),
    ],
    ids=["JavaScript", "Java", "Java, lower", "Go", ".NET", "Python", "shell"],
)
def test_what_another_language_escapes_is_masked(shown: str) -> None:
    out = Redactor([SECRET]).text(f"before {shown} after")
    assert out.strip("\"'").replace('"', "").replace("'", "") == "before *** after"


def test_the_end_of_a_secret_file_s_line_is_no_part_of_the_secret() -> None:
    stream = Redactor(["hunter22\n"]).stream()
    # Neither held back for the newline nor joined with the next line.
    assert stream.feed(b"hunter22\nnext\n") == b"***\nnext\n"
    assert Redactor(["abc\n"]).too_short == 1


def test_short_and_long_forms_are_found_side_by_side() -> None:
    secrets = [f"{i:03}{'long' * i}" for i in range(1, 40)]
    redactor = Redactor([*secrets, "tiny"])
    assert redactor.text("a tiny b") == "a *** b"
    for secret in secrets:
        assert redactor.text(f"x {secret} y") == "x *** y"
        assert redactor.text(shlex.quote(secret[:-1])) == shlex.quote(secret[:-1])
