"""Payloads as any client may send them: a refusal names the field."""

import json
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.exceptions import ApplicationError

from contracts import names
from contracts.events import EventRequest
from worker.temporal import CroniumPayloadConverter

BODY: dict[str, Any] = {
    "executionId": "x",
    "event": {"id": "e", "name": "n", "type": "bash", "script": "true"},
}


def problems_in(text: str, type_hint: type = EventRequest) -> dict[str, str]:
    payload = Payload(metadata={"encoding": b"json/plain"}, data=text.encode())
    with pytest.raises(ApplicationError) as caught:
        CroniumPayloadConverter().from_payload(payload, type_hint)
    assert caught.value.type == names.PAYLOAD_ERROR_TYPE
    assert "planted" not in f"{caught.value} {caught.value.details}"
    return {item["path"]: item["message"] for item in caught.value.details[0]}


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"input": {"a": ["planted\ud800"]}}, "input.a[0]"),
        ({"input": [{"planted\udfff": 1}]}, "input[0]"),
        ({"event": {**BODY["event"], "script": "planted\ud800"}}, "event.script"),
        ({"event": {**BODY["event"], "name": "planted\ud800"}}, "event.name"),
    ],
)
def test_an_escape_of_half_a_character_is_refused_with_its_place(
    change: dict[str, Any], path: str
) -> None:
    assert "half of a character" in problems_in(json.dumps(BODY | change))[path]


def test_a_number_that_json_does_not_have_is_refused_with_its_place() -> None:
    text = json.dumps({**BODY, "input": {"a": float("nan")}})
    assert "NaN" in problems_in(text)["input.a"]


@pytest.mark.parametrize("text", ["", "{", '{"planted": ', "[" * 100_000])
def test_what_cannot_be_read_at_all_is_refused_as_a_whole(text: str) -> None:
    assert list(problems_in(text)) == [""]
    assert list(problems_in(text, bool)) == [""]
