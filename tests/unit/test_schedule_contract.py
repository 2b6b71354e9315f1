"""The contract of a schedule: what is refused, with path, expectation and no value."""

from typing import Any

import pytest
from pydantic import ValidationError

from contracts import names
from contracts.events import EventRequest
from contracts.schedules import ScheduleSpec
from contracts.validation import problems_of
from tests.caller import event
from tests.schedules import schedule

GRAPH = {"id": "g", "name": "G", "nodes": {"a": {"event": event("true")}}}
SECRET = "do-not-echo-this"


def problems(**fields: Any) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        schedule(**fields)
    found = problems_of(caught.value, ScheduleSpec)
    assert SECRET not in str(found)
    return {problem.path: problem.message for problem in found}


@pytest.mark.parametrize(
    ("fields", "path", "said"),
    [
        ({}, "", "either `every` (`everySeconds`) or `cron`"),
        ({"cron": "0 1 * * *", "everySeconds": 5}, "", "either `every`"),
        ({"cron": "0 1 * * *", "event": None}, "", "either `event` or `workflow`"),
        ({"cron": "0 1 * * *", "workflow": GRAPH, "event": event("true")}, "",
         "either `event` or `workflow`"),
        ({"cron": SECRET}, "cron[0]", "expected five fields"),
        ({"cron": ["0 1 * * *", "61 * * * *"]}, "cron[1]", "field 1 (minute)"),
        ({"cron": ["0 1 * * *"] * 11}, "cron", "at most 10 items"),
        ({"everySeconds": 0}, "everySeconds", "greater than or equal to 1"),
        ({"everySeconds": 1.5}, "everySeconds", "valid integer"),
        ({"everySeconds": 5, "timezone": SECRET}, "timezone", "such as Europe/Berlin"),
        ({"everySeconds": 5, "timezone": "../../etc/passwd"}, "timezone", "no time z"),
        ({"everySeconds": 5, "timezone": ""}, "timezone", "no time zone"),
        ({"everySeconds": 5, "catchUpSeconds": 9}, "catchUpSeconds", "equal to 10"),
        ({"everySeconds": 5, "maxRuns": 0}, "maxRuns", "equal to 1"),
        ({"everySeconds": 5, "overlap": SECRET}, "overlap", "'skip'"),
        ({"everySeconds": 5, "id": "a" * 65}, "id", "at most 64"),
        ({"everySeconds": 5, "id": "a b"}, "id", "pattern"),
        ({"everySeconds": 5, "startAt": "tomorrow"}, "startAt", "valid datetime"),
        ({"everySeconds": 5, "startAt": "2027-01-02", "endAt": "2027-01-01"}, "",
         "endAt: before `startAt`"),
        ({"cron": "0 1 * * *", "timezone": "Europe/Berlin",
          "startAt": "2027-03-28T02:30"}, "", "startAt: there is no such time"),
        ({"everySeconds": 5, "evry": 1}, "evry", "unknown field"),
        ({"everySeconds": 5, "input": {"a": float("nan")}}, "input.a", "JSON"),
        ({"everySeconds": 5, "input": "x" * 600_000}, "", "input may have at most"),
        ({"everySeconds": 5, "event": {**event("true"), "retries": 99}},
         "event.retries", "less than or equal to 10"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(
    fields: dict[str, Any], path: str, said: str
) -> None:
    found = problems(**fields)
    assert path in found, found
    assert said in found[path]


def test_one_expression_needs_no_list() -> None:
    assert schedule(cron="0 1 * * *").cron == ["0 1 * * *"]


def test_it_reads_back_what_it_wrote() -> None:
    spec = schedule(cron="0 1 * * *", timezone="Asia/Tokyo", startAt="2027-01-01T05:00")
    assert ScheduleSpec.model_validate_json(spec.model_dump_json()) == spec


def test_a_graph_can_be_scheduled_as_well() -> None:
    spec = schedule(everySeconds=60, workflow=GRAPH)
    assert spec.workflow_type == names.GRAPH_WORKFLOW
    assert spec.workflow_id == "graph:g:nightly"
    request = spec.request()
    assert (request.execution_id, request.trigger) == ("", "schedule")


def test_only_schedules_leave_the_execution_id_out() -> None:
    body = {"event": event("true")}
    with pytest.raises(ValidationError) as caught:
        EventRequest.model_validate(body)
    (problem,) = problems_of(caught.value, EventRequest)
    assert (problem.path, problem.message) == ("executionId", "required, but missing")
    given = EventRequest.model_validate({**body, "schedule": {"id": "nightly"}})
    assert given.execution_id == ""


@pytest.mark.parametrize("kind", ["event", "graph"])
def test_ids_of_scheduled_workflows_tell_execution_event_and_time(kind: str) -> None:
    workflow = f"{kind}:a.b-1:nightly-2-2026-11-26T02:00:00Z"
    run = "01a216b1-75dd-759b-a731-ac55f320e16a"
    assert names.execution_of(workflow) is None
    found = names.execution_of(workflow, run)
    assert found == "nightly-2-20261126T020000Z-f320e16a"
    assert names.is_execution(workflow)
    assert names.subject_of(workflow) == "a.b-1"
    assert names.moment_of(workflow) == "2026-11-26T02:00:00Z"


def test_the_longest_id_of_a_schedule_leaves_room() -> None:
    workflow = f"event:e:{'s' * 64}-2026-11-26T02:00:00Z"
    found = names.execution_of(workflow, "0" * 36)
    assert found is not None
    EventRequest.model_validate({"executionId": found, "event": event("true")})


def test_ids_by_hand_are_what_they_were() -> None:
    assert names.execution_of("event:e:x-2026", "run") == "x-2026"
    assert names.moment_of("event:e:x-1") is None
    assert not names.is_execution("event:e:x:shard-1")
