"""Order, batches and parts of a fan-out, as arithmetic."""

from typing import Any

import pytest

from contracts.events import EventRequest
from contracts.servers import ServerSpec
from tests.temporal.scripted import servers
from workflows.plan import Plan, plan_of


def plan(count: int, execution: str = "x", **fan_out: Any) -> Plan:
    event = {
        "id": "e", "name": "e", "type": "bash", "script": "true",
        "targets": servers(count), "fanOut": fan_out,
    }  # fmt: skip
    data = {"executionId": execution, "event": event}
    return plan_of(EventRequest.model_validate(data))


def sizes(stages: list[list[list[list[ServerSpec]]]]) -> list[list[list[int]]]:
    return [[[len(batch) for batch in part] for part in stage] for stage in stages]


@pytest.mark.parametrize(
    ("count", "fan_out", "batches"),
    [
        (5, {}, [5]),
        (100, {"serial": [1, 5, "20%"]}, [1, 5, 20, 20, 20, 20, 14]),
        (10, {"serial": 4}, [4, 4, 2]),
        (10, {"serial": "1%"}, [1] * 10),
        (10, {"serial": "40%", "canary": 1}, [4, 4, 1]),
        (3, {"canary": 3}, []),
    ],
)
def test_batches(count: int, fan_out: dict[str, Any], batches: list[int]) -> None:
    assert [len(batch) for batch in plan(count, **fan_out).batches] == batches


@pytest.mark.parametrize(
    ("count", "fan_out", "stages"),
    [
        (101, {}, [[[51], [50]]]),
        (1000, {}, [[[100]] * 10]),
        (130, {"serial": 20}, [[[20, 20, 20, 20, 20]], [[20, 10]]]),
        (
            330,
            {"serial": [10, 150, 60]},
            [[[10]], [[75], [75]], [[60]], [[60]], [[50]]],
        ),
        (120, {"canary": 2}, [[[2]], [[59], [59]]]),
        (400, {"canary": "50%"}, [[[100], [100]], [[100], [100]]]),
    ],
)
def test_parts(count: int, fan_out: dict[str, Any], stages: Any) -> None:
    made = plan(count, **fan_out)
    assert made.sharded
    assert sizes(made.stages()) == stages
    names = [
        server.name
        for stage in made.stages()
        for part in stage
        for batch in part
        for server in batch
    ]
    assert names == [server["name"] for server in servers(count)]


def test_the_window_has_a_hard_end() -> None:
    assert plan(2500, forks="100%").forks == 500
    assert plan(2500, forks=9999).forks == 500
    assert plan(3, forks="1%").forks == 1
    assert plan(1000).forks == 50


def test_a_random_order_is_that_of_its_execution() -> None:
    def names(execution: str) -> list[str]:
        (batch,) = plan(50, execution, order="random").batches
        return [server.name for server in batch]

    assert names("x1") == names("x1") != names("x2")
    assert sorted(names("x1")) == [server["name"] for server in servers(50)]
    assert names("x1") != sorted(names("x1"))
