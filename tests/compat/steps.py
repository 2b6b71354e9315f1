"""What a script does, apart from its language: calls in order, and what each gives.

A call is named in snake_case; a rendering spells it as its language and style do.
"""

from dataclasses import dataclass, field
from typing import Any

from contracts.events import EventType
from tests.compat.channel import EVENT


@dataclass(frozen=True)
class Step:
    """One call; its result is printed as one line of JSON unless it has none."""

    call: str
    args: tuple[Any, ...] = ()
    gives: Any = None
    shown: bool = True


@dataclass(frozen=True)
class Scenario:
    """A script's calls, what is there before, and what is there afterwards."""

    name: str
    steps: tuple[Step, ...]
    input: Any = None
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    """Fields of the channel's state: variables, output, condition, logs, …"""


@dataclass(frozen=True)
class Case:
    """One script to run as an event, and all that can be seen of it."""

    id: str
    language: EventType
    script: str
    stdout: str
    input: Any = None
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)


def do(call: str, *args: Any) -> Step:
    """A call without a result to look at."""
    return Step(call, args, shown=False)


def ask(call: str, *args: Any, gives: Any) -> Step:
    """A call whose result is looked at."""
    return Step(call, args, gives)


VALUES: dict[str, Any] = {
    "number": 42,
    "zero": 0,
    "negative fraction": -1.5,
    "large": 9007199254740991,
    "true": True,
    "false": False,
    "null": None,
    "empty text": "",
    "text": 'it\'s "quoted" \\ $HOME `x`\n\ttabbed',
    "text like a number": "012",
    "unicode": "naïve ☃ 漢字 😀",
    "empty object": {},
    "empty list": [],
    "list": [1, "two", None, [False, {}]],
    "nested": {"region": "eu", "deep": {"list": [{"a": None}], "then": 0}, "é": "ü"},
}

CONFIG = {"path": "/x", "deep": [1, None]}
SENT = {"to": ["a@example.com"], "subject": "Hi", "body": "Hello"}
SLACK = {"channel": "#ops", "text": "done"}
DISCORD = {"channelId": "42", "content": "done"}

SCENARIOS = (
    Scenario(
        "input and output",
        (ask("input", gives={"region": "eu"}), do("output", {"done": [True, None, 0]})),
        input={"region": "eu"},
        after={"output": {"done": [True, None, 0]}},
    ),
    Scenario(
        "no input", (ask("input", gives=None), do("output", 0)), after={"output": 0}
    ),
    Scenario(
        "variables",
        (
            ask("get_variable", "MISSING", gives=None),
            ask("get_variable", "N", gives=1),
            do("set_variable", "N", 5),
            ask("get_variable", "N", gives=5),
            do("set_variable", "lower.case-1", {"a": [0]}),
            ask("get_variable", "lower.case-1", gives={"a": [0]}),
            ask("get_variable", "with/slash é", gives="odd"),
        ),
        before={"N": 1, "with/slash é": "odd"},
        after={"variables": {
            "N": 5, "with/slash é": "odd", "lower.case-1": {"a": [0]},
        }},
    ),
    Scenario(
        "more of variables",
        (
            ask("variable_exists", "GONE", gives=False),
            ask("variable_exists", "NONE", gives=True),
            ask("increment_variable", "COUNT", gives=1),
            ask("increment_variable", "COUNT", 2.5, gives=3.5),
            ask("append_variable", "TEXT", "a", gives="a"),
            ask("append_variable", "TEXT", "b", ", ", gives="a, b"),
            ask("append_variable", "LIST", {"x": 1}, gives=[0, {"x": 1}]),
            ask("list_variables", "N", gives={"NONE": None}),
            ask("delete_variable", "NONE", gives=True),
            ask("delete_variable", "NONE", gives=False),
        ),
        before={"NONE": None, "LIST": [0]},
        after={"variables": {"COUNT": 3.5, "TEXT": "a, b", "LIST": [0, {"x": 1}]}},
    ),
    Scenario(
        "condition",
        (
            ask("get_condition", gives=None),
            do("set_condition", True),
            ask("get_condition", gives=True),
            do("set_condition", False),
            ask("get_condition", gives=False),
        ),
        after={"condition": False},
    ),
    Scenario("event", (ask("event", gives=EVENT),)),
    Scenario(
        "tools",
        (
            ask("execute_tool_action", "http", "get", CONFIG, gives="http"),
            ask("send_email", SENT, gives="email"),
            ask("send_slack_message", SLACK, gives="slack"),
            ask("send_discord_message", DISCORD, gives="discord"),
        ),
        after={"actions": [
            {"tool": "http", "action": "get", "config": CONFIG},
            {"tool": "email", "action": "send_message", "config": SENT},
            {"tool": "slack", "action": "send_message", "config": SLACK},
            {"tool": "discord", "action": "send_message", "config": DISCORD},
        ]},
    ),
    Scenario(
        "log, progress and sleep",
        (
            do("log", "warning", "slow ☃", {"ms": 12}),
            do("log", "started"),
            do("progress", 0.5, "half"),
            do("sleep", 0.01),
        ),
        after={
            "logs": [
                {"level": "warning", "message": "slow ☃", "fields": {"ms": 12}},
                {"level": "info", "message": "started", "fields": {}},
            ],
            "progress": [{"fraction": 0.5, "text": "half"}],
        },
    ),
)  # fmt: skip
"""Every capability; the result of a tool's action is the tool's name here."""


def of_value(name: str, value: Any) -> Scenario:
    """A value goes in as input, through a variable and out as output."""
    return Scenario(
        f"type: {name}",
        (
            ask("input", gives=value),
            do("set_variable", "V", value),
            ask("get_variable", "V", gives=value),
            do("output", value),
        ),
        input=value,
        after={"variables": {"V": value}, "output": value},
    )


def of_all_values() -> Scenario:
    """Every value goes through a variable of its own, and all together as input."""
    steps = [ask("input", gives=VALUES)]
    for number, value in enumerate(VALUES.values()):
        steps.append(do("set_variable", f"V{number}", value))
        steps.append(ask("get_variable", f"V{number}", gives=value))
    stored = {f"V{number}": value for number, value in enumerate(VALUES.values())}
    return Scenario(
        "types",
        (*steps, do("output", VALUES)),
        input=VALUES,
        after={"variables": stored, "output": VALUES},
    )


SINGLY = (*SCENARIOS, *(of_value(name, value) for name, value in VALUES.items()))
TOGETHER = (*SCENARIOS, of_all_values())
