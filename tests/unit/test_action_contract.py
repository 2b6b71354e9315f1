"""Actions as a request states them: what is taken, what refused, in which words."""

from typing import Any

import pytest
from pydantic import ValidationError

from contracts import limits, names
from contracts.actions import EventAction
from contracts.events import EventRequest
from contracts.validation import problems_of
from tests.stack import event

MESSAGE = {"kind": "message", "targets": [{"secret": "CHAT"}], "body": "b"}
CALLBACK = {"kind": "callback", "url": "https://a.example/x", "secret": "KEY"}


def request(*actions: Any) -> EventRequest:
    body = {"executionId": "x1", "event": event("true", actions=list(actions))}
    return EventRequest.model_validate(body)


def refusal(*actions: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        request(*actions)
    (problem, *_) = problems_of(caught.value, EventRequest)
    return f"{problem.path}: {problem.message}"


def nested(depth: int) -> dict[str, Any]:
    inner = [nested(depth - 1)] if depth > 1 else []
    return {"kind": "event", "event": event("true", actions=inner)}


def test_an_event_has_no_actions_unless_it_says_so() -> None:
    assert request().event.actions == []
    assert request().chain_depth == 0


def test_actions_go_over_the_wire_and_back() -> None:
    first = request(MESSAGE, CALLBACK, nested(2))
    assert EventRequest.model_validate_json(first.model_dump_json()) == first
    action = first.event.actions[2]
    assert isinstance(action, EventAction)
    assert action.spec.actions[0].kind == "event"


def test_an_event_by_its_id_alone_is_refused_with_what_to_do() -> None:
    said = refusal({"kind": "event", "eventId": "backup"})
    assert said.startswith("event.actions[0].event: eventId alone is not enough")
    assert "puts the event itself here, as `event`" in said


def test_an_id_beside_its_event_must_be_the_same() -> None:
    assert request({"kind": "event", "eventId": "test", "event": event("true")})
    assert "differs" in refusal(
        {"kind": "event", "eventId": "other", "event": event("true")}
    )


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ({"kind": "mail"}, "expected tags: 'event', 'message', 'callback'"),
        ({**MESSAGE, "when": "never"}, "'always', 'on_success', 'on_failure'"),
        ({**MESSAGE, "targets": []}, "message.targets: "),
        ({**MESSAGE, "targets": [{}]}, "give either `url` or `secret`"),
        (
            {**MESSAGE, "targets": [{"url": "json://h", "secret": "A"}]},
            "give either `url` or `secret`",
        ),
        ({**MESSAGE, "targets": [{"url": "nowhere"}]}, "targets[0].url"),
        ({**MESSAGE, "body": ""}, "message.body"),
        ({**MESSAGE, "retries": 11}, "message.retries"),
        ({**CALLBACK, "url": "ftp://a.example"}, "begins with http:// or https://"),
        ({**CALLBACK, "url": "https://u:p@a.example"}, "credentials do not belong"),
        ({**CALLBACK, "url": "https://a.example:x"}, "expected a URL"),
        ({**CALLBACK, "url": "https://a.example/a b"}, "spaces"),
        ({"kind": "callback", "url": "https://a.example"}, "required, but missing"),
        (
            {**CALLBACK, "headers": {"X-Cronium-Signature": "v1=0"}},
            "is set by the executor",
        ),
        ({**CALLBACK, "headers": {"Host": "b"}}, "is set by the executor"),
    ],
)
def test_a_malformed_action_is_refused_by_its_field(action: Any, said: str) -> None:
    assert said in refusal(action)


def test_a_refused_target_is_not_echoed() -> None:
    with pytest.raises(ValidationError) as caught:
        request({**MESSAGE, "targets": [{"url": "hunter2-no-scheme"}]})
    assert "hunter2" not in str(caught.value)


def test_actions_may_be_nested_a_few_levels_and_not_more() -> None:
    assert request(nested(limits.MAX_ACTION_NESTING))
    said = refusal(nested(limits.MAX_ACTION_NESTING + 1))
    assert "nested at most 5 deep, these are 6" in said


def test_actions_of_all_levels_together_are_limited() -> None:
    wide = {"kind": "event", "event": event("true", actions=[MESSAGE] * 20)}
    assert request(*[wide] * 4)
    assert "at most 100 actions in all" in refusal(*[wide] * 5)
    assert "event.actions: " in refusal(*[MESSAGE] * 21)


def test_what_an_action_starts_has_an_id_of_its_own_every_time() -> None:
    assert names.action_id("x1", 0) == "x1.a0"
    long = names.action_id("x" * limits.MAX_ID_LENGTH, 3)
    assert len(long) <= limits.MAX_ID_LENGTH
    assert long.endswith(".a3")
    assert long == names.action_id("x" * limits.MAX_ID_LENGTH, 3)
    assert names.execution_of(names.workflow_id("test", long)) == long


def test_a_target_is_named_without_its_credentials() -> None:
    action = request({**MESSAGE, "targets": [{"url": "Slack://tokenA/tokenB"}]})
    (target,) = action.event.actions[0].targets  # type: ignore[union-attr]
    assert target.label == "slack://…"
