"""Which actions fire after which end."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from contracts.actions import Action
from contracts.results import ExecutionResult, Status
from workflows.actions import firing

WHENS = ["on_condition", "on_failure", "always", "on_success", "always"]
ACTIONS: list[Action] = TypeAdapter(list[Action]).validate_python(
    [
        {"kind": "callback", "when": when, "url": "https://a.example", "secret": "K"}
        for when in WHENS
    ]
)


def fired(status: Status, condition: Any = None) -> list[int]:
    result = ExecutionResult(
        execution_id="x", event_id="e", event_name="e", status=status,
        condition=condition,
    )  # fmt: skip
    return [index for index, _ in firing(ACTIONS, result)]


def test_success_fires_always_then_on_success() -> None:
    assert fired(Status.SUCCESS) == [2, 4, 3]


@pytest.mark.parametrize(
    "status", [Status.FAILURE, Status.TIMEOUT, Status.LOST, Status.PARTIAL]
)
def test_every_kind_of_failure_fires_on_failure(status: Status) -> None:
    assert fired(status) == [2, 4, 1]


def test_a_cancelled_execution_fires_always_alone() -> None:
    assert fired(Status.CANCELLED, True) == [2, 4]


@pytest.mark.parametrize(("condition", "fires"), [(True, True), (False, False)])
def test_a_condition_fires_last_and_only_when_it_is_true(
    condition: bool, fires: bool
) -> None:
    assert fired(Status.SUCCESS, condition) == [2, 4, 3, *([0] * fires)]
    assert fired(Status.FAILURE, condition) == [2, 4, 1, *([0] * fires)]


def test_a_skipped_node_fires_what_is_always_to_fire() -> None:
    assert fired(Status.SKIPPED) == [2, 4]
