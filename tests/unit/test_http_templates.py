"""Expressions: paths into data with filters, and not one thing more."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import HttpRequestInvalid
from engines.http.templates import Secrets, Templates

DATA: dict[str, Any] = {
    "input": {
        "name": "A/b", "n": 1, "f": 1.5, "yes": True, "nothing": None,
        "list": [{"id": "x"}, 2], "items": "own", "__class__": "data",
        "quote": 'a"b\\',
    },
    "event": {"id": "e1"},
}  # fmt: skip
STORE = {"TOKEN": "t0k3n-value", "odd.name-1": "odd-value"}


def templates() -> tuple[Templates, Secrets]:
    secrets = Secrets(STORE.__getitem__)
    return Templates(DATA, secrets), secrets


def text(source: str) -> str:
    return templates()[0].text("f", source, 10_000)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("no expression }} {% if %} {# #}", "no expression }} {% if %} {# #}"),
        ("{{ input.name }}{% raw %}{#", "A/b{% raw %}{#"),
        ("{{input.n}}-{{ input['f'] }}-{{ input.yes }}", "1-1.5-true"),
        ("{{ input.nothing }}", "null"),
        ("{{ input.list }}", '[{"id": "x"}, 2]'),
        ("{{ input.list[0].id }}{{ input.list[-1] }}", "x2"),
        ("{{ input.items }}", "own"),
        ("{{ input.__class__ }}", "data"),
        ("{{ input.absent | default('d') }}", "d"),
        ("{{ input.absent.deeper | default }}", ""),
        ("{{ input.nothing | default(event.id) }}", "e1"),
        ("{{ input.quote | tojson }}", '"a\\"b\\\\"'),
        ("{{ input.name | urlencode }}", "A%2Fb"),
        ("{{ input.name | lower | upper | trim }}", "A/B"),
        ("{{ '{{' }}", "{{"),
        ("line\n{{ event.id }}\n", "line\ne1\n"),
        ("{{ secrets.TOKEN }}|{{ secrets['odd.name-1'] }}", "t0k3n-value|odd-value"),
    ],
)
def test_an_expression_gives_its_value_as_text(source: str, expected: str) -> None:
    assert text(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ input.list }}", DATA["input"]["list"]),
        (" {{- input.yes -}} ", True),
        ("{{ input.nothing }}", None),
        ("{{ input.absent | default(0) }}", 0),
        ("n={{ input.n }}", "n=1"),
        ("plain", "plain"),
    ],
)
def test_a_json_string_that_is_one_expression_keeps_its_type(
    source: str, expected: Any
) -> None:
    assert templates()[0].value("f", source, 10_000) == expected


def test_values_in_a_url_cannot_leave_their_place() -> None:
    made = templates()[0]
    assert made.url("f", "http://h/{{ input.name }}", 99) == "http://h/A%2Fb"
    assert made.url("f", "http://h/{{ input.name | raw }}", 99) == "http://h/A/b"
    assert made.url("f", "http://h/a/../b", 99) == "http://h/a/../b"
    for value in ("..", ".", "%2e%2E"):
        with pytest.raises(HttpRequestInvalid, match="dots"):
            made.url("f", f"http://h/{{{{ '{value}' | raw }}}}/x", 99)


def test_secrets_that_are_read_are_remembered() -> None:
    made, secrets = templates()
    made.text("f", "{{ secrets.TOKEN }}{{ event.id }}", 99)
    assert secrets.values == ["t0k3n-value"]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{{ input.absent }}", "there is no 'absent'"),
        ("{{ input.absent.deeper }}", "there is no 'absent'"),
        ("{{ input.list[9] }}", "there is no '9'"),
        ("{{ inputs.name }}", "there is no 'inputs'"),
        ("{{ input.absent | tojson }}", "there is no 'absent'"),
        ("{{ input.name.__class__ }}", "there is no '__class__'"),
        ("{{ input.name.upper() }}", "a path such as"),
        ("{{ input.n + 1 }}", "a path such as"),
        ("{{ 9 ** 9 ** 9 }}", "a path such as"),
        ("{{ 'a' * 999999999 }}", "a path such as"),
        ("{{ -input.n }}", "no arithmetic"),
        ("{{ [1, 2] }}", "a path such as"),
        ("{{ input.list[0:1] }}", "no slices"),
        ("{{ range(9) }}", "a path such as"),
        ("{{ input.name | attr('x') }}", "no such filter; known: default"),
        ("{{ input.name | center(999999999) }}", "no such filter"),
        ("{{ input.name | default(other=1) }}", "plain values"),
        (
            "{{ input.name | tojson | tojson | tojson | tojson | tojson }}",
            "more than 4",
        ),
        ("{{ input" + ".a" * 50 + " }}", "too deeply"),
        ("{{ input.name", "not an expression"),
        ("{{ }}", "not an expression"),
        ("{{ input.name }} \n {{ 'x }}", "line 2"),
        ("{{ secrets }}", "{{ secrets.NAME }}"),
        ("{{ secrets | tojson }}", "{{ secrets.NAME }}"),
        ("{{ secrets[input.name] }}", "stands in the template"),
        ("{{ input[secrets] }}", "{{ secrets.NAME }}"),
        ("{{ input.name | default(secrets) }}", "{{ secrets.NAME }}"),
        ("{{ 'x' | upper(1) }}", "cannot be used"),
    ],
)
def test_what_is_no_path_is_refused_and_says_why(source: str, words: str) -> None:
    for render in (text, lambda s: templates()[0].value("f", s, 10_000)):
        with pytest.raises(HttpRequestInvalid) as caught:
            render(source)
        assert str(caught.value).startswith("f: ")
        assert words in str(caught.value)
        assert "A/b" not in str(caught.value)


def test_a_short_template_cannot_make_a_huge_text() -> None:
    made = Templates({"input": "x" * 100_000}, Secrets(STORE.__getitem__))
    begun = time.monotonic()
    with pytest.raises(HttpRequestInvalid, match="longer than allowed"):
        made.text("f", "{{ input }}" * 20_000, 200_000)
    assert time.monotonic() - begun < 10


PIECES = st.sampled_from(
    [
        "{{", "}}", "input", ".", "name", "[", "]", "|", "tojson", "default", "(", ")",
        "secrets", "TOKEN", "'", "1", "-", "*", "~", "if", "for", "%", "{%", "%}", " ",
        "__class__", "\n", ",", "is", "lipsum",
    ]
)  # fmt: skip


@given(st.lists(PIECES, max_size=12).map("".join))
@settings(max_examples=400, deadline=None)
def test_any_text_is_rendered_or_refused_and_nothing_else_happens(source: str) -> None:
    made = templates()[0]
    for render in (made.text, made.url, made.value):
        try:
            shown = render("f", source, 10_000)
        except (HttpRequestInvalid, KeyError):
            continue
        assert "<" not in str(shown)
