"""The suite against a whole product: what is there before, and what is left after."""

import json
from dataclasses import replace
from typing import Any

import httpx

from contracts.results import ExecutionResult
from tests.caller import Caller, plain_http
from tests.compat import bash
from tests.compat.rendering import STYLES, line
from tests.compat.steps import TOGETHER, Case

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


def http_of(product: Caller) -> httpx.AsyncClient:
    return plain_http(base_url=product.gateway, headers=product.bearer)


async def given(product: Caller, user: str, variables: dict[str, Any]) -> None:
    async with http_of(product) as http:
        for key, value in variables.items():
            path = f"/api/users/{user}/variables/{key}"
            (await http.put(path, json={"value": value})).raise_for_status()


async def left(product: Caller, user: str) -> dict[str, Any]:
    async with http_of(product) as http:
        page = (await http.get(f"/api/users/{user}/variables")).json()
    return {found["key"]: found["value"] for found in page["variables"]}


def said(lines: list[dict[str, Any]], name: str) -> list[Any]:
    """Return what a script's structured lines say, in the words of the suite."""
    data = [li["data"] for li in lines if li["stream"] == "log" and name in li["data"]]
    return [found["progress"] if name == "progress" else found for found in data]


def ended(text: str) -> str:
    # A log has lines: whether the last one ended is not kept.
    return text if text.endswith("\n") or not text else text + "\n"


async def check_after(
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
