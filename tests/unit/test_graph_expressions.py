"""Expressions of graphs: values, what is refused, and what nobody can do with them."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflows.graphs.expressions import (
    ExpressionError,
    evaluate,
    problems_in,
    reads_of,
)

BIG = "x" * 400_000
DATA: dict[str, Any] = {
    "input": {
        "n": 3,
        "s": "x",
        "list": [{"a": 1}, {"a": 2}],
        "big": BIG,
        "nothing": None,
        "quoted": '"' * 2000,
        "many": list(range(50_000)),
    },
    "nodes": {"build": {"output": {"v": [1, 2]}, "status": "SUCCESS"}},
    "variables": {"K": 5},
}


def value_of(text: Any) -> Any:
    return evaluate(text, DATA, "input")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ input.n }}", 3),
        ("n={{ input.n }}", "n=3"),
        ("plain", "plain"),
        ("{{ input.n + 1 }}", 4),
        ("{{ input.list | map(attribute='a') | sum }}", 3),
        ("{{ nodes.build.output.v[1] }}", 2),
        ("{{ nodes.build.output.v[-1] }}", 2),
        ("{{ input.missing | default(4) }}", 4),
        ("{{ input.nothing | default('x') }}", "x"),
        ("{{ input.list | selectattr('a', 'gt', 1) | map(attribute='a') }}", [2]),
        ("{{ nodes.build.status == 'SUCCESS' and input.n > 2 }}", True),
        ("{{ [1] + nodes.build.output.v }}", [1, 1, 2]),
        ("{{ {'a': input.n, 'b': [true, none]} }}", {"a": 3, "b": [True, None]}),
        ("{{ 'big' if input.n > 2 else 'small' }}", "big"),
        ("{{ variables.K }} {{ true }} {{ none }}", "5 true null"),
        ("{{ input.list | map('tojson') | join(',') }}", '{"a": 1},{"a": 2}'),
        ("{{ '[1, 2]' | fromjson }}", [1, 2]),
        ("{{ 'a,b' | split(',') }}", ["a", "b"]),
        ({"k": ["{{ input.n }}", 1.5, None]}, {"k": [3, 1.5, None]}),
        ("{% if x %}", "{% if x %}"),
        ("{# no comment #}", "{# no comment #}"),
    ],
    ids=lambda value: json.dumps(value)[:40],
)
def test_an_expression_gives_its_value(text: Any, value: Any) -> None:
    assert value_of(text) == value
    assert type(value_of(text)) is type(value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{ input.zz }}", "'zz' is undefined"),
        ("{{ nodes.build.output.w.x }}", "'w' is undefined"),
        ("{{ nowhere }}", "'nowhere' is undefined"),
        ("{{ input.n / 0 }}", "division by zero"),
        ("{{ input.s * 10 }}", "`*` is for numbers"),
        ("{{ input.n < input.s }}", "a value has a type"),
        ("{{ input.big + input.big }}", "more than 524288 bytes"),
        ("{{ input.big | replace('x', input.big) }}", "more than 524288 bytes"),
        ("{{ input.many | join(input.big) }}", "more than 524288 bytes"),
        ("{{ input.many | map('default', input.big) }}", "`map` takes attribute="),
        ("{{ input.many | map(attribute='q', default=input.big) }}", "short default"),
        ("{{ [input.big, input.big] }}", "at most 524288"),
        ("{{ input.quoted" + " | tojson" * 20 + " }}", "more than 524288 bytes"),
    ],
    ids=lambda value: value[:40],
)
def test_a_value_that_cannot_be_had_is_said_with_its_place(
    text: str, words: str
) -> None:
    with pytest.raises(ExpressionError) as failure:
        evaluate({"deep": [text]}, DATA, "nodes[2].input")
    assert str(failure.value).startswith("nodes[2].input")
    assert words in str(failure.value)
    assert "xxx" not in str(failure.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{ x", "unexpected end"),
        ("{{ }}", "Expected an expression"),
        ("{{ input.n | foo }}", "no filter is named foo"),
        ("{{ input.n is foo }}", "no test is named foo"),
        ("{{ input.items() }}", "a call is not possible"),
        ("{{ range(9) }}", "a call is not possible"),
        ("{{ 9 ** 9 ** 9 }}", "`**` is not possible"),
        ("{{ nodes[input.s] }}", "needs a name"),
        ("{{ nodes }}", "cannot be read as a whole"),
        ("{{ variables | length }}", "cannot be read as a whole"),
        ("{{ " + "(" * 60 + "1" + ")" * 60 + " }}", ""),
        ("{{ " + "not " * 60 + "1 }}", "nested too deep"),
        ("{{ " + "a" * 3000 + " }}", "2000 characters"),
    ],
    ids=lambda value: value[:30],
)
def test_what_is_no_expression_is_found_before_anything_runs(
    text: str, words: str
) -> None:
    problems = problems_in({"k": text}, "nodes[0].input")
    if words:
        assert [problem.path for problem in problems] == ["nodes[0].input.k"]
        assert words in problems[0].message


def test_python_cannot_be_reached() -> None:
    for path in ("''.__class__", "input.__class__.__mro__", "input.keys", "(1).real"):
        with pytest.raises(ExpressionError, match="undefined"):
            value_of("{{ " + path + " }}")


def test_an_expression_says_what_it_reads() -> None:
    reads = reads_of(
        ["{{ nodes.a.output + variables.K }}", "{{ nodes['b-c'].status }}"]
    )
    assert reads.nodes == {"a", "b-c"}
    assert reads.variables == {"K"}
    assert reads.roots == {"nodes", "variables"}


WORDS = st.sampled_from(
    [
        "input", "nodes", "variables", ".", "[", "]", "(", ")", "{", "}", ",", ":", "+",
        "-", "*", "/", "//", "%", "**", "~", "|", "==", "<", "in", "not", "and", "or",
        "if", "else", "is", "n", "s", "list", "big", "many", "build", "output", "map",
        "sort", "join", "replace", "default", "tojson", "length", "sum", "attribute=",
        "'a'", "1", "9999999", "0", "true", "none", "{{", "}}", "{%", "%}",
    ]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(WORDS, max_size=25))
def test_whatever_is_written_ends_soon_and_the_same_way_again(words: list[str]) -> None:
    text = "{{ " + " ".join(words) + " }}"

    def outcome() -> Any:
        try:
            return evaluate(text, DATA, "input")
        except ExpressionError as error:
            return str(error)

    begin = time.monotonic()
    first = outcome()
    assert time.monotonic() - begin < 1.5
    assert outcome() == first
    json.dumps(first)
