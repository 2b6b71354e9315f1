"""The compatibility suite through the real worker: every call, language and type.

One style for each language: that all styles mean the same is shown where the suite runs
against a channel in memory. Here the worker's own channel, the gateway's store, the log
way and the typed result take part, and there is no network.
"""

import json
import secrets
from dataclasses import replace
from typing import Any

import httpx
import pytest

from contracts.results import ExecutionResult
from tests.compat import bash
from tests.compat.channel import EVENT
from tests.compat.rendering import STYLES, line
from tests.compat.steps import TOGETHER, Case
from tests.stack import Stack, event

STYLE = {"python": "from import", "nodejs": "class functions"}
# An old key that can be read where it is, and cannot be set by the rules of today.
OLD_KEY, KEY = "with/slash é", "with.dot-1"
# What only the channel in memory answers so: its tools, its event, its token. Tools
# have tests of their own with real receivers; the event's fields are looked at below.
ELSEWHERE = ("tools", "event", "fields of the event", "info", "type of text")


def rendered() -> list[Case]:
    return [
        Case(
            id=f"{language}: {scenario.name}",
            language=language,
            script=STYLES[language][0](scenario, STYLE[language]),
            stdout="".join(line(s.gives) + "\n" for s in scenario.steps if s.shown),
            input=scenario.input,
            before=scenario.before,
            after=scenario.after,
        )
        for language in STYLES
        for scenario in TOGETHER
    ]


def chosen() -> list[Case]:
    return [
        _with_key(case)
        for case in (*rendered(), *bash.CASES)
        if not case.id.partition(": ")[2].startswith(ELSEWHERE)
    ]


def _with_key(case: Case) -> Case:
    written = json.dumps(OLD_KEY)[1:-1]

    def told(value: Any) -> Any:
        return json.loads(json.dumps(value).replace(written, KEY))

    return replace(
        case,
        script=case.script.replace(OLD_KEY, KEY).replace(written, KEY),
        before=told(case.before),
        after=told(case.after),
    )


async def given(stack: Stack, user: str, variables: dict[str, Any]) -> None:
    async with httpx.AsyncClient(base_url=stack.gateway, headers=stack.bearer) as http:
        for key, value in variables.items():
            path = f"/api/users/{user}/variables/{key}"
            (await http.put(path, json={"value": value})).raise_for_status()


async def left(stack: Stack, user: str) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=stack.gateway, headers=stack.bearer) as http:
        page = (await http.get(f"/api/users/{user}/variables")).json()
    return {found["key"]: found["value"] for found in page["variables"]}


def said(lines: list[dict[str, Any]], name: str) -> list[Any]:
    """Return what a script's structured lines say, in the words of the suite."""
    data = [li["data"] for li in lines if li["stream"] == "log" and name in li["data"]]
    return [found["progress"] if name == "progress" else found for found in data]


@pytest.mark.parametrize("case", chosen(), ids=lambda case: case.id)
async def test_the_script_runs_as_promised(case: Case, stack: Stack) -> None:
    user = "compat-" + secrets.token_hex(4)
    await given(stack, user, case.before)
    body = event(case.script, type=case.language, id=EVENT["id"])
    result = await stack.run(body, input=case.input, user=user)
    lines = await stack.logs(result.execution_id)
    out = [li["text"] + "\n" for li in lines if li["stream"] == "stdout"]
    err = [li["text"] for li in lines if li["stream"] == "stderr"]
    assert (result.exit_code, err, "".join(out)) == (0, [], _ended(case.stdout))
    await _check_after(case, result, lines, await left(stack, user))


def _ended(text: str) -> str:
    # A log has lines: whether the last one ended is not kept.
    return text if text.endswith("\n") or not text else text + "\n"


async def _check_after(
    case: Case,
    result: ExecutionResult,
    lines: list[dict[str, Any]],
    variables: dict[str, Any],
) -> None:
    seen: dict[str, Any] = {
        "variables": variables,
        "output": result.output,
        "condition": result.condition,
        "progress": said(lines, "progress"),
        "logs": said(lines, "level"),
    }
    for name, expected in case.after.items():
        if name == "logs":
            texts = [li["text"] for li in lines if li["stream"] == "log"]
            for number, log in enumerate(expected):
                assert log["message"] in texts[number]
            expected = [{k: log[k] for k in ("level", "fields")} for log in expected]
        assert seen[name] == expected, name


SHOW_EVENT = {
    "python": "import cronium\ncronium.output(cronium.event())",
    "nodejs": "cronium.output(cronium.event())",
    "bash": "cronium_event | cronium_output",
}


@pytest.mark.parametrize("language", SHOW_EVENT)
async def test_the_event_has_all_fields_in_both_spellings(
    language: str, stack: Stack
) -> None:
    body = event(SHOW_EVENT[language], type=language, tags=["a", "b"], retries=2)
    result = await stack.run(body, user="ann", trigger="schedule")
    assert result.status == "SUCCESS", result
    found = result.output
    assert set(found) == set(EVENT)
    assert found["id"] == found["eventId"] == "test"
    assert found["name"] == found["eventName"] == "a test"
    assert found["type"] == found["eventType"] == language
    assert found["executionId"] == result.execution_id
    assert (found["userId"], found["trigger"], found["tags"]) == (
        *("ann", "schedule"),
        ["a", "b"],
    )
    assert (found["attempt"], found["maxAttempts"]) == (1, 3)
    assert (found["runLocation"], found["server"]) == ("LOCAL", None)
