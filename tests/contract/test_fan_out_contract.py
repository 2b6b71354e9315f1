"""What may be said about targets and fan-out, and what is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from contracts import limits
from contracts.events import EventRequest
from contracts.fanout import limit_of, most_targets, shard_size, size_of
from contracts.validation import problems_of
from tests.temporal.scripted import server, servers


def request(**fields: Any) -> EventRequest:
    event = {"id": "e", "name": "e", "type": "bash", "script": "true", **fields}
    return EventRequest.model_validate({"executionId": "x", "event": event})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"targets": []}, "event.targets: List should have at least 1 item"),
        ({"targets": [3]}, "event.targets[0]: "),
        (
            {"targets": [server("a", adress="h")]},
            "event.targets[0].adress: unknown field (did you mean address?)",
        ),
        ({"targets": ["a", server("a")]}, "event.targets: [1] has the name of [0]"),
        ({"targets": [{**server("a"), "name": "a\x1b"}]}, "event.targets: the name of"),
        ({"fanOut": {}}, "event: fanOut: needs `targets`"),
        (
            {"targets": [server("a")], "fanOut": {"overrides": {"b": {}}}},
            "event: fanOut.overrides: the name of number 1 is no target's",
        ),
        ({"targets": ["a"], "fanOut": {"forks": 0}}, "event.fanOut.forks: expected a"),
        ({"targets": ["a"], "fanOut": {"forks": "0%"}}, "event.fanOut.forks: expected"),
        ({"targets": ["a"], "fanOut": {"forks": "101%"}}, "event.fanOut.forks: exp"),
        ({"targets": ["a"], "fanOut": {"forks": True}}, "event.fanOut.forks: expected"),
        ({"targets": ["a"], "fanOut": {"serial": []}}, "event.fanOut.serial: "),
        ({"targets": ["a"], "fanOut": {"serial": [1, "x"]}}, "event.fanOut.serial[1]"),
        ({"targets": ["a"], "fanOut": {"maxFailures": -1}}, "event.fanOut.maxFailures"),
        (
            {"targets": ["a"], "type": "http_request", "script": None,
             "http": {"url": "https://a.example/"}},
            "event: targets: an event of type http_request has none",
        ),
        (
            {"targets": servers(900), "script": "#" + "x" * 1_000_000},
            "event.targets: script, env and input have 1000005 bytes and are sent to "
            "each server",
        ),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_with_its_place(
    fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        request(**fields)
    problems = problems_of(caught.value, EventRequest)
    told = [f"{problem.path}: {problem.message}" for problem in problems]
    assert any(said in text for text in told), told


def test_a_thousand_servers_fit_a_payload() -> None:
    key = "ssh-ed25519 " + "A" * 68
    fleet = [
        server(
            f"web-{number:04d}.eu-central.example.com",
            address=f"10.1.{number // 250}.{number % 250}",
            hostKeys=[key],
            jump=[{k: v for k, v in server("b").items() if k not in ("id", "name")}],
            tags=["production", "europe"],
            groups=["web"],
        )
        for number in range(limits.MAX_TARGETS)
    ]
    for count in (1000, limits.MAX_TARGETS):
        made = request(targets=fleet[:count])
        size = len(made.model_dump_json().encode())
        print(f"{count} servers: {size} bytes")
        assert size < limits.MAX_REQUEST_BYTES
        assert EventRequest.model_validate_json(made.model_dump_json()) == made


@pytest.mark.parametrize(
    ("amount", "total", "size", "limit"),
    [
        (3, 10, 3, 3),
        ("25%", 10, 2, 2),
        ("29%", 100, 29, 29),  # exact, where floating point is not
        ("9%", 10, 1, 0),
        ("100%", 7, 7, 7),
        (0, 10, 1, 0),
    ],
)
def test_shares_are_rounded_down_and_sizes_are_at_least_one(
    amount: int | str, total: int, size: int, limit: int
) -> None:
    assert (size_of(amount, total), limit_of(amount, total)) == (size, limit)


@pytest.mark.parametrize("size", [0, 10_000, 500_000, limits.MAX_REQUEST_BYTES])
def test_planned_histories_stay_below_what_temporal_ends(size: int) -> None:
    each = size + limits.MAX_OUTPUT_BYTES
    assert shard_size(size) * each <= limits.MAX_PLANNED_HISTORY_BYTES
    shards = -(-most_targets(size) // shard_size(size))
    assert shards * size <= limits.MAX_PLANNED_HISTORY_BYTES
    assert most_targets(size) >= 200
