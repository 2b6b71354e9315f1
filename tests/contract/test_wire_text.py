"""What cannot be written as JSON in UTF-8 is refused where it stands."""

import json
import math
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts import limits
from contracts.events import EventRequest
from contracts.runs import RunRequest
from contracts.validation import problems_of

HALF = "\ud800"
PLANTED = "planted-7f3a"


def request(value: Any = None, **event: Any) -> dict[str, Any]:
    base = {"id": "e", "name": "n", "type": "bash", "script": "true"}
    return {"executionId": "x", "event": {**base, **event}, "input": value}


def refusal(body: dict[str, Any]) -> tuple[str, str]:
    """Return path and message of the one problem; it can be told to anybody."""
    with pytest.raises(ValidationError) as caught:
        EventRequest.model_validate(body)
    (problem,) = problems_of(caught.value, EventRequest)
    assert PLANTED not in str(caught.value) + problem.model_dump_json()
    return problem.path, problem.message


def nested(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"k": value}
    return value


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    ("wrap", "path"),
    [
        (lambda x: x, "input"),
        (lambda x: [PLANTED, x], "input[1]"),
        (lambda x: {"a": {"b-1": [[], {"c": (0, x)}]}}, "input.a.b-1[1].c[1]"),
        (lambda x: {"two words\n": x}, 'input."two words\\n"'),
        (lambda x: {"é" * 500: x}, f"input.{'é' * 40}…"),
        (lambda x: {7: x}, "input.7"),
    ],
)
def test_a_number_that_json_does_not_have_is_refused_with_its_place(
    wrap: Any, path: str, number: float
) -> None:
    place, message = refusal(request(wrap(number)))
    assert place == path
    assert "NaN and Infinity" in message


def test_nan_in_a_raw_json_text_is_refused_too() -> None:
    text = json.dumps(request({"a": [math.nan]}))
    with pytest.raises(ValidationError) as caught:
        EventRequest.model_validate_json(text)
    (problem,) = problems_of(caught.value, EventRequest)
    assert problem.path == "input.a[0]"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (request(PLANTED + HALF), "input"),
        (request({"a": [{"b": HALF}]}), "input.a[0].b"),
        (request({"a": [{PLANTED + HALF: 1}]}), "input.a[0]"),
        (request(script=f"echo {PLANTED}{HALF}"), "event.script"),
        (request(name=PLANTED + HALF), "event.name"),
        (request(id=HALF), "event.id"),
        (request(type=HALF), "event.type"),
        (request(image=HALF), "event.image"),
        (request(tags=["a", HALF]), "event.tags[1]"),
        (request(env=[{"name": "A", "value": PLANTED + HALF}]), "event.env[0].value"),
        (request(env=[{"name": HALF, "value": ""}]), "event.env[0].name"),
        (request(env=[{"name": "A", "secret": HALF}]), "event.env[0].secret"),
        ({**request(), "user": HALF}, "user"),
        (request(**{HALF: 1}), "event"),
    ],
)
def test_half_a_character_is_refused_with_its_place(
    body: dict[str, Any], path: str
) -> None:
    place, message = refusal(body)
    assert place == path
    assert "half of a character" in message


@pytest.mark.parametrize(
    ("http", "path"),
    [
        ({"url": "http://a.example/" + HALF}, "url"),
        ({"headers": [{"name": "A", "value": HALF}]}, "headers[0].value"),
        ({"query": [{"name": HALF, "value": ""}]}, "query[0].name"),
        ({"body": {"kind": "text", "text": HALF}}, "body.text.text"),
        ({"body": {"kind": "json", "content": [HALF]}}, "body.json.content[0]"),
        (
            {"body": {"kind": "json", "content": {"a": math.nan}}},
            "body.json.content.a",
        ),
    ],
)
def test_what_cannot_be_sent_by_http_is_refused_with_its_place(
    http: dict[str, Any], path: str
) -> None:
    body = request(type="http_request", http={"url": "http://a.example/", **http})
    del body["event"]["script"]
    place, message = refusal(body)
    assert place == f"event.http.{path}"
    assert "half of a character" in message or "NaN" in message


@pytest.mark.parametrize(
    ("value", "path", "words"),
    [
        ({"a": {1, 2}}, "input.a", "set is not a type of JSON"),
        ([b"x"], "input[0]", "bytes is not a type of JSON"),
        ({"a": {math.nan: 1}}, "input.a", "in a key: NaN"),
        ({"a": {(1, 2): 1}}, "input.a", "tuple"),
    ],
)
def test_what_is_no_json_at_all_is_refused_with_its_place(
    value: Any, path: str, words: str
) -> None:
    place, message = refusal(request(value))
    assert place == path
    assert words in message


def test_an_input_is_refused_when_it_is_too_deep_to_reach_the_script() -> None:
    deepest = EventRequest.model_validate(request(nested(limits.MAX_INPUT_DEPTH)))
    run = RunRequest(
        request=deepest, target="local", attempt=1, max_attempts=1, run_key="k"
    )
    assert RunRequest.model_validate_json(run.model_dump_json()) == run
    endless: list[Any] = []
    endless.append(endless)
    for value in (nested(limits.MAX_INPUT_DEPTH + 1), nested(5000), endless):
        path, message = refusal(request(value))
        assert path.startswith("input")
        assert f"more than {limits.MAX_INPUT_DEPTH} levels" in message


CHARACTERS = st.characters(exclude_categories=())
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(CHARACTERS),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(CHARACTERS), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON_VALUES)
@settings(max_examples=300, deadline=None)
def test_an_input_that_is_accepted_comes_back_as_it_was(value: Any) -> None:
    try:
        made = EventRequest.model_validate(request(value))
    except ValidationError as error:
        for problem in problems_of(error, EventRequest):
            assert problem.path.startswith("input")
            assert problem.model_dump_json()
        return
    assert EventRequest.model_validate_json(made.model_dump_json()).input == value


def test_a_large_input_is_checked_in_a_moment() -> None:
    rows = [{"id": n, "name": "Ada", "tags": ["a", "b"]} for n in range(10_000)]
    flat, empty = ["x" * 50] * 9_000, [[] for _ in range(130_000)]
    for value in (rows, flat, empty):
        before = time.process_time()
        EventRequest.model_validate(request(value))
        # Measured on a slow core: 1 to 23 ms.
        assert time.process_time() - before < 0.5
