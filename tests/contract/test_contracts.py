"""The contract as clients meet it: names, limits, refusals that echo nothing."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

import contracts
from contracts import limits, names
from contracts.errors import CroniumError, EngineError, ErrorInfo, ImageMissing
from contracts.events import Backoff, EventRequest, EventSpec, Resources
from contracts.logs import IngestMessage, ViewerMessage
from contracts.results import ExecutionResult, Status
from contracts.validation import problems_of, sentence

HUGE = "x" * 140_000


def request(**event: Any) -> dict[str, Any]:
    base = {"id": "e", "name": "n", "type": "bash", "script": "true"}
    return {"executionId": "x", "event": {**base, **event}}


def refusal(body: Any) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        EventRequest.model_validate(body)
    return {p.path: p.message for p in problems_of(caught.value, EventRequest)}


def test_the_wire_is_camel_case_and_python_is_snake_case() -> None:
    made = EventRequest.model_validate(request(timeoutSeconds=5))
    assert made.event.timeout_seconds == 5
    again = EventRequest.model_validate_json(made.model_dump_json())
    assert again == made
    assert "timeoutSeconds" in made.model_dump_json()
    assert EventRequest(execution_id="x", event=made.event).execution_id == "x"


@pytest.mark.parametrize(
    ("event", "path", "words"),
    [
        ({"timeoutSecond": 1}, "event.timeoutSecond", "did you mean timeoutSeconds"),
        ({"zzz": 1}, "event.zzz", "known: id"),
        ({"timeoutSeconds": 0}, "event.timeoutSeconds", "greater than 0"),
        ({"timeoutSeconds": 90_000}, "event.timeoutSeconds", "86400"),
        ({"timeoutSeconds": "NaN"}, "event.timeoutSeconds", "finite"),
        ({"retries": -1}, "event.retries", "0"),
        ({"type": "ruby"}, "event.type", "nodejs"),
        ({"type": "http_request", "script": None}, "event", "needs a request"),
        (
            {"type": "http_request", "http": {"url": "http://h/"}},
            "event",
            "script: an event of type http_request has none",
        ),
        ({"http": {"url": "http://h/"}}, "event", "only an event of type http_request"),
        ({"script": ""}, "event", "needs a script"),
        ({"script": "a\0b"}, "event.script", "NUL"),
        ({"script": "x" * (limits.MAX_SCRIPT_BYTES + 1)}, "event.script", "1048577"),
        ({"name": ""}, "event.name", "at least 1"),
        ({"id": "a b"}, "event.id", "pattern"),
        ({"image": "-x"}, "event.image", "pattern"),
        ({"network": "host"}, "event.network", "egress"),
        ({"env": [{"name": "A"}]}, "event.env[0]", "either"),
        ({"env": [{"name": "A", "value": "", "secret": "B"}]}, "event.env[0]", "both"),
        ({"env": [{"name": "CRONIUM_X", "value": ""}]}, "event.env[0].name", "set by"),
        ({"env": [{"name": "IFS", "value": ""}]}, "event.env[0].name", "shell"),
        (
            {"env": [{"name": "A", "value": "x" * 140_000}]},
            "event.env[0].value",
            "130048",
        ),
        ({"env": [{"name": "A", "value": "1"}] * 2}, "event.env", "twice"),
        ({"resources": {"pids": 1}}, "event.resources.pids", "8"),
        ({"resources": {"memoryMb": 64, "tmpMb": 64}}, "event.resources", "smaller"),
        ({"tags": ["x"] * 21}, "event.tags", "20"),
        ({"backoff": {"factor": 0.5}}, "event.backoff.factor", "1"),
    ],
)
def test_a_field_that_does_not_fit_is_named_with_what_was_expected(
    event: dict[str, Any], path: str, words: str
) -> None:
    assert words in refusal(request(**event))[path]


def test_all_variables_together_have_a_limit() -> None:
    env = [{"name": f"V{i}", "value": "x" * 120_000} for i in range(9)]
    assert "1048576" in refusal(request(env=env))["event.env"]


def test_an_input_above_its_limit_is_refused() -> None:
    body = {**request(), "input": "x" * limits.MAX_INPUT_BYTES}
    assert str(limits.MAX_INPUT_BYTES) in refusal(body)["input"]


def test_missing_fields_are_all_named() -> None:
    found = refusal({"event": {}})
    assert set(found) == {"executionId", "event.id", "event.name", "event.type"}
    assert "required" in found["executionId"]


@given(st.sampled_from(["script", "env", "type", "name", "retries", "zzz", "tags"]))
@settings(deadline=None)
def test_a_refused_value_is_echoed_nowhere(field: str) -> None:
    planted = "planted-7f3a"
    values: dict[str, Any] = {"env": [{"name": planted, "value": [planted]}]}
    value = values.get(field, [planted, {"a": planted}])
    with pytest.raises(ValidationError) as caught:
        EventRequest.model_validate(request(**{field: value}))
    told = str(caught.value) + sentence(problems_of(caught.value, EventRequest))
    assert planted not in told


def test_the_default_tmp_fits_a_small_memory() -> None:
    assert Resources.model_validate({"memoryMb": 64}).tmp_mb == 32
    assert Resources.model_validate({"memory_mb": 512}).tmp_mb == 64


def test_the_back_off_grows_to_its_maximum() -> None:
    backoff = Backoff(initial_seconds=1, factor=2, max_seconds=5)
    assert [backoff.delay(n) for n in (1, 2, 3, 4, 10)] == [1, 2, 4, 5, 5]


def test_ids_are_stable_and_lead_back() -> None:
    workflow = names.workflow_id("e.1", "x-1")
    assert workflow == "event:e.1:x-1"
    assert names.execution_of(workflow) == "x-1"
    assert names.execution_of("something else") is None
    key = names.run_key(workflow, "r", "local", 1, 1)
    assert key == names.run_key(workflow, "r", "local", 1, 1)
    others = {names.run_key(workflow, "r", "local", *n) for n in ((2, 1), (1, 2))}
    assert len({key, *others}) == 3
    assert names.host_queue("h") == "cronium-host-h"


def test_errors_carry_type_hint_and_whether_to_try_again() -> None:
    info = ImageMissing("no image x").info
    assert (info.type, info.retryable) == ("ImageMissing", False)
    assert info.hint
    assert info.text.startswith("no image x. Build")
    assert ErrorInfo(type="t", message="m").text == "m"
    assert str(EngineError()) == "The place where scripts run has a problem."
    assert CroniumError("m", hint="h").info.hint == "h"
    assert len(str(CroniumError("x" * 5000))) == 1000


def test_only_pending_and_running_are_not_final() -> None:
    assert [s for s in Status if not s.final] == [Status.PENDING, Status.RUNNING]


def test_every_word_of_the_wire_has_a_json_schema() -> None:
    for word in (EventRequest, ExecutionResult, EventSpec, IngestMessage):
        assert json.dumps(word.model_json_schema(by_alias=True))
    assert TypeAdapter(ViewerMessage).json_schema()


def test_what_the_package_promises_is_there() -> None:
    assert all(hasattr(contracts, name) for name in contracts.__all__)
