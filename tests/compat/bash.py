"""The Bash side of the suite: text in, text out, so it has scripts of its own."""

import json
import shlex
from typing import Any

from contracts.events import EventType
from tests.compat.channel import EVENT, EXECUTION, TOKEN
from tests.compat.steps import CONFIG, DISCORD, SENT, SLACK, VALUES, Case

STRICT = "set -euo pipefail\n"


def case(name: str, script: str, stdout: str, **more: Any) -> Case:
    """A case whose script runs under bash's strictest settings."""
    return Case(f"bash: {name}", EventType.BASH, STRICT + script, stdout, **more)


def raw(value: Any) -> str:
    """A value as a script sees it: text as it is, the rest as compact JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


INPUT = {"region": "eu", "list": [1, {"a": None}]}
SPELLED = (
    "cronium_{}_variable",
    "cronium_{}Variable",
    "cronium.{}Variable",
)
PRINTED_BY_SET = ("", "true\n", "Variable saved successfully\n")

CASES = [
    case(
        "input and output",
        "cronium_input; cronium_output '{\"done\": [true]}'",
        pretty(INPUT) + "\n",
        input=INPUT,
        after={"output": {"done": [True]}},
    ),
    case(
        "input and output with dots",
        "cronium.input; echo '{\"a\": 0}' | cronium.output",
        pretty(INPUT) + "\nOutput saved successfully\n",
        input=INPUT,
        after={"output": {"a": 0}},
    ),
    case(
        "output from stdin",
        "printf 'not JSON\\n{' | cronium_output",
        "",
        after={"output": "not JSON\n{"},
    ),
    case(
        "output of much white space",
        "cronium_output \"$(printf '%200000s' '')\"",
        "",
        after={"output": " " * 200_000},
    ),
    case("output of text", "cronium_output 007", "", after={"output": "007"}),
    case("no input", 'test -z "$(cronium_input)" && echo none', "none\n"),
    case(
        "a function in a child shell",
        "bash -c cronium_input; printf x | xargs bash -c 'cronium_getVariable N'",
        "1\n2\n",
        input=1,
        before={"N": 2},
    ),
    case(
        "the script's own stdin is left alone",
        "printf 'a\\nb\\n' | while read -r line; do "
        'cronium_get_variable N; echo "$line"; done',
        "2\na\n2\nb\n",
        before={"N": 2},
    ),
    *(
        case(
            f"variables as {spelling}",
            f'get() {{ {spelling.format("get")} "$@"; }}\n'
            f'set_() {{ {spelling.format("set")} "$@"; }}\n'
            'test -z "$(get MISSING)"\nget N\nset_ N a\\"b\nget N\nget "with/slash é"',
            f'1\n{printed}a"b\nodd\n',
            before={"N": 1, "with/slash é": "odd"},
            after={"variables": {"N": 'a"b', "with/slash é": "odd"}},
        )
        for spelling, printed in zip(SPELLED, PRINTED_BY_SET, strict=True)
    ),
    case(
        "which spelling keeps types",
        "cronium_set_variable A 12; cronium_setVariable B 12 >/dev/null\n"
        "cronium.setVariable C 12 >/dev/null; echo 12 | cronium.setVariable D",
        "Variable saved successfully\n",
        after={"variables": {"A": 12, "B": "12", "C": "12", "D": 12}},
    ),
    case(
        "more of variables",
        "cronium_variable_exists GONE || echo no; cronium_variable_exists NONE\n"
        "cronium_increment_variable C; cronium_increment_variable C 2.5\n"
        "cronium_append_variable T a; cronium_append_variable T b ', '\n"
        "cronium_list_variables NON; cronium_delete_variable NONE\n"
        "cronium_delete_variable NONE",
        'no\n1\n3.5\na\na, b\n{\n  "NONE": null\n}\n',
        before={"NONE": None},
        after={"variables": {"C": 3.5, "T": "a, b"}},
    ),
    case(
        "condition",
        "cronium_getCondition; cronium_set_condition YES; cronium_get_condition\n"
        "cronium_setCondition ''; cronium_setCondition x; cronium_set_condition off",
        "null\ntrue\nfalse\ntrue\n",
        after={"condition": False},
    ),
    case(
        "a condition that is no truth value",
        "cronium_set_condition maybe 2>&1 || echo $?",
        "Error: cronium_set_condition: 'maybe' is neither true, 1, yes, on nor false, "
        "0, no, off\n1\n",
    ),
    case("event", "cronium_event", pretty(EVENT) + "\n"),
    case("event with a dot", "cronium.event", pretty(EVENT) + "\n"),
    case(
        "fields of the event",
        "for name in name attempt server.name tags tags.1 'tags[0]' metadata none; do\n"
        'echo "$name=$(cronium_event_field "$name")"; done',
        'name=Nightly\nattempt=1\nserver.name=web-1\ntags=["a","b"]\ntags.1=b\n'
        "tags[0]=a\nmetadata={}\nnone=\n",
    ),
    case(
        "tools",
        f"cronium_execute_tool_action http get {shlex.quote(json.dumps(CONFIG))}\n"
        "{ cronium_send_email ' a@example.com, b@example.com' Hi Hello "
        "--cc c@example.com --html\ncronium_send_email a@example.com Hi Hello\n"
        "cronium_send_slack_message '#ops' done\n"
        "cronium_send_slack_message '#ops' done --username me --icon-emoji :x:\n"
        "cronium_send_discord_message 42 done; } >/dev/null\n"
        "cronium_send_discord_message 42 done --embed '{\"title\": 1}'",
        pretty({"sent": True, "tool": "http"})
        + "\n"
        + pretty({"sent": True, "tool": "discord"})
        + "\n",
        after={
            "actions": [
                {"tool": tool, "action": action, "config": config}
                for tool, action, config in (
                    ("http", "get", CONFIG),
                    (
                        "email",
                        "send_message",
                        {
                            **SENT,
                            "to": ["a@example.com", "b@example.com"],
                            "cc": ["c@example.com"],
                            "html": True,
                        },
                    ),
                    ("email", "send_message", SENT),
                    ("slack", "send_message", SLACK),
                    (
                        "slack",
                        "send_message",
                        {**SLACK, "username": "me", "icon_emoji": ":x:"},
                    ),
                    ("discord", "send_message", DISCORD),
                    ("discord", "send_message", {**DISCORD, "embeds": [{"title": 1}]}),
                )
            ]
        },
    ),
    case(
        "log, progress and sleep",
        "cronium_log WARN 'slow ☃' '{\"ms\": 12}'; cronium_log started\n"
        "cronium_progress 0.5 half; cronium_sleep 0.01\n"
        "cronium_log loud x 2>&1 || echo $?",
        "Error: cronium_log: 'loud' is none of debug, info, warning, error\n1\n",
        after={
            "logs": [
                {"level": "warning", "message": "slow ☃", "fields": {"ms": 12}},
                {"level": "info", "message": "started", "fields": {}},
            ],
            "progress": [{"fraction": 0.5, "text": "half"}],
        },
    ),
    case(
        "commands for other programs",
        "sh -c 'cronium.getVariable N; cronium.input; cronium.setVariable M x'\n"
        "echo '[0]' | env -u BASH_ENV cronium.output\n"
        "env -u BASH_ENV POSIXLY_CORRECT=1 sh -c cronium.event | jq .id",
        '1\n{\n  "a": 1\n}\nVariable saved successfully\n'
        'Output saved successfully\n"7"\n',
        input={"a": 1},
        before={"N": 1},
        after={"variables": {"N": 1, "M": "x"}, "output": [0]},
    ),
    case(
        "sourcing it by hand as well",
        "source cronium.sh\ncronium_get_variable N",
        "1\n",
        before={"N": 1},
    ),
    case(
        "info",
        "cronium_info | grep -c -e 3.0.0 -e 'unix:/' "
        f"-e {EXECUTION} -e '{TOKEN[:10]}\\.\\.\\.$'",
        "4\n",
    ),
    case(
        "the private request",
        "_cronium_request GET /executions/$CRONIUM_EXEC_ID/variables/NO\n"
        "_cronium_request GET variables/N | jq .data.value",
        '{"data":{"value":null}}\n2\n',
        before={"N": 2},
    ),
    *(
        case(
            f"type: {name}",
            'cronium_get_variable V; cronium_set_variable W "$(cronium_input)"',
            raw(value) + "\n",
            input=value,
            before={"V": value},
            # Nothing, which is what a null input prints, is an empty text as a value.
            after={"variables": {"V": value, "W": "" if value is None else value}},
        )
        for name, value in VALUES.items()
    ),
    *(
        case(
            f"type of text: {name}",
            f"cronium_set_variable V {shlex.quote(raw(value))}",
            "",
            after={"variables": {"V": value}},
        )
        for name, value in VALUES.items()
    ),
]
