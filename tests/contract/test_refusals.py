"""Refusals of any wrong request: a path to act on, and nothing of the input."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.events import Backoff, EnvVar, EventRequest, EventSpec
from contracts.runs import (
    ADMIT_EXECUTION,
    RECORD_EXECUTION,
    RUN_CONTAINER,
    RunOutcome,
    RunProgress,
)
from contracts.validation import path_of, problems_of, sentence

PLANTED = "planted-7f3a-secret"
VALUES = st.recursive(
    st.sampled_from([PLANTED, PLANTED + "\0", PLANTED * 7000, None, -1, 2.5, True]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "value", "id"]), inner, max_size=3)
    ),
    max_leaves=5,
)
FIELDS = [field.alias or name for name, field in EventSpec.model_fields.items()]


def request(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "executionId": "x",
        "event": {"id": "e", "name": "n", "type": "bash", "script": "true", **event},
    }


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES, min_size=1, max_size=4))
@settings(max_examples=300, deadline=None)
def test_whatever_is_wrong_nothing_of_it_is_told(event: dict[str, Any]) -> None:
    error = refusal_of(request(event))
    if error is None:
        return
    problems = problems_of(error, EventRequest)
    assert problems
    assert PLANTED not in str(error) + repr(error) + sentence(problems)
    for problem in problems:
        assert problem.path.startswith("event")
        assert problem.message


def refusal_of(body: dict[str, Any]) -> ValidationError | None:
    try:
        EventRequest.model_validate(body)
    except ValidationError as error:
        return error
    return None


@pytest.mark.parametrize("text", ['{"executionId": "planted', "[]", "nul", '"planted"'])
def test_what_is_no_request_at_all_is_refused_without_an_echo(text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        EventRequest.model_validate_json(text)
    told = str(caught.value) + sentence(problems_of(caught.value, EventRequest))
    assert "planted" not in told


@pytest.mark.parametrize(
    ("event", "path", "words"),
    [
        ({"backoff": {"initialSecond": 1}}, "event.backoff.initialSecond", "Seconds?"),
        ({"resources": {"memory": 1}}, "event.resources.memory", "memoryMb?"),
        ({"env": [{"nam": "A", "value": ""}]}, "event.env[0].nam", "name?"),
        ({"env": [{"name": "A", "value": "a\0"}]}, "event.env[0].value", "NUL"),
        ({"env": [{"name": "1A", "value": ""}]}, "event.env[0].name", "pattern"),
        ({"env": [{"name": "A", "secret": "/etc"}]}, "event.env[0].secret", "pattern"),
        ({"tags": ["x" * 51]}, "event.tags[0]", "50"),
        ({"graceSeconds": 61}, "event.graceSeconds", "60"),
        ({"retries": 11}, "event.retries", "10"),
        ({"id": "x" * 101}, "event.id", "100"),
        ({"id": "x\n"}, "event.id", "pattern"),
        ({"resources": {"memoryMb": 15}}, "event.resources.memoryMb", "16"),
        ({"resources": {"cpus": 0}}, "event.resources.cpus", "0.05"),
        ({"resources": {"tmpMb": 0}}, "event.resources.tmpMb", "1"),
    ],
)
def test_nested_fields_are_named_and_near_misses_recognised(
    event: dict[str, Any], path: str, words: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        EventRequest.model_validate(request(event))
    found = {p.path: p.message for p in problems_of(caught.value, EventRequest)}
    assert words in found[path]


def test_a_problem_of_the_whole_request_has_no_path_in_its_sentence() -> None:
    with pytest.raises(ValidationError) as caught:
        EnvVar.model_validate({"name": "A"})
    problems = problems_of(caught.value, EnvVar)
    assert [problem.path for problem in problems] == [""]
    assert sentence(problems) == "give either `value` or `secret`, and not both"
    assert path_of(("env", 3, "name")) == "env[3].name"


@given(
    st.builds(
        Backoff,
        initial_seconds=st.floats(0, 3600),
        factor=st.floats(1, 10),
        max_seconds=st.floats(0, 86_400),
    )
)
def test_the_wait_never_shrinks_and_never_passes_its_maximum(backoff: Backoff) -> None:
    waits = [backoff.delay(failures) for failures in range(1, 12)]
    assert waits == sorted(waits)
    assert all(0 <= wait <= backoff.max_seconds for wait in waits)


def test_heartbeats_of_another_version_are_understood() -> None:
    progress = RunProgress.model_validate(
        {"host": "h", "sandbox": "s", "phase": "running", "fromTheFuture": 1}
    )
    assert progress.phase == "running"
    with pytest.raises(ValidationError):
        RunOutcome.model_validate({"status": "SUCCESS", "fromTheFuture": 1})


def test_each_activity_has_a_name_of_its_own() -> None:
    stubs = (RUN_CONTAINER, ADMIT_EXECUTION, RECORD_EXECUTION)
    assert len({stub.name for stub in stubs}) == 3
    assert RUN_CONTAINER.result is RunOutcome
