"""Scenarios as scripts: each language in each style that users write."""

import json
import textwrap
from collections.abc import Callable
from typing import Any

from contracts.events import EventType
from tests.compat.steps import SINGLY, TOGETHER, Case, Scenario, Step

NAMES = (
    "input, output, event, get_variable, set_variable, variable_exists, "
    "delete_variable, list_variables, increment_variable, append_variable, "
    "set_condition, get_condition, log, progress, sleep, execute_tool_action, "
    "send_email, send_slack_message, send_discord_message"
)
Spell = Callable[[str], str]
"""From a call's name in snake_case to the expression of the function."""


def camel(name: str) -> str:
    """Spell a name, or several with commas, in camelCase."""
    first, *rest = name.split("_")
    return first + "".join(word[0].upper() + word[1:] for word in rest)


def line(value: Any) -> str:
    """Write a value as the scripts do: compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


# --- Python ---------------------------------------------------------------------------

SHOW_PYTHON = """import json
def show(value):
    print(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
"""
PYTHON: dict[str, tuple[str, Spell]] = {
    "global snake": ("", lambda name: f"cronium.{name}"),
    "global camel": ("", lambda name: f"cronium.{camel(name)}"),
    "import": ("import cronium\n", lambda name: f"cronium.{name}"),
    "from import": (f"from cronium import {NAMES}\n", lambda name: name),
    "from import camel": (f"from cronium import {camel(NAMES)}\n", camel),
    "star": ("from cronium import *\n", lambda name: name),
    "singleton": ("from cronium import cronium\n", lambda name: f"cronium.{name}"),
    "class": ("from cronium import Cronium\nc = Cronium()\n", lambda name: f"c.{name}"),
}
ASYNC_PYTHON: dict[str, Spell] = {
    "async": lambda name: f"await c.{name}",
    "async camel": lambda name: f"await c.{camel(name)}",
}


def python_call(spell: Spell, step: Step) -> str:
    args = [repr(arg) for arg in step.args]
    if step.call.startswith("send_"):
        args = [repr(arg) for arg in step.args[0].values()]
    call = f"{spell(step.call)}({', '.join(args)})"
    if step.call.startswith(("send_", "execute_")):
        call = f'({call})["tool"]'
    return f"show({call})" if step.shown else call


def python(scenario: Scenario, style: str) -> str:
    if style in ASYNC_PYTHON:
        calls = [python_call(ASYNC_PYTHON[style], step) for step in scenario.steps]
        body = textwrap.indent("\n".join(calls), "        ")
        return (
            f"{SHOW_PYTHON}import asyncio\nfrom cronium import AsyncCronium\n"
            f"async def main():\n    async with AsyncCronium() as c:\n{body}\n"
            "asyncio.run(main())\n"
        )
    prelude, spell = PYTHON[style]
    calls = [python_call(spell, step) for step in scenario.steps]
    return prelude + SHOW_PYTHON + "\n".join(calls) + "\n"


# --- Node.js --------------------------------------------------------------------------

SHOW_NODE = "const show = (value) => console.log(JSON.stringify(value));\n"
CLASS = "const cronium = require('cronium');\n"
NODE: dict[str, tuple[str, Spell]] = {
    "class functions": (CLASS, lambda name: f"cronium.{camel(name)}"),
    "destructured": (f"const {{ {camel(NAMES)} }} = require('cronium');\n", camel),
    "singleton": (
        "const { cronium } = require('cronium');\n",
        lambda name: f"cronium.{camel(name)}",
    ),
    "instance": (
        "const Cronium = require('cronium'); const c = new Cronium();\n",
        lambda name: f"c.{camel(name)}",
    ),
    "global awaited": ("", lambda name: f"cronium.{camel(name)}"),
}
MODULES: dict[str, tuple[str, Spell]] = {
    "module default": (
        "import cronium from 'cronium';\n",
        lambda name: f"cronium.{camel(name)}",
    ),
    "module named": (f"import {{ {camel(NAMES)} }} from 'cronium';\n", camel),
    "module singleton": (
        "import { cronium } from 'cronium';\n",
        lambda name: f"cronium.{camel(name)}",
    ),
    "top-level await": (CLASS, lambda name: f"cronium.{camel(name)}"),
}
PLAIN_NODE: dict[str, tuple[str, Spell]] = {
    "global": ("", lambda name: f"cronium.{camel(name)}"),
    "global destructured": (f"const {{ {camel(NAMES)} }} = cronium;\n", camel),
}


def node_call(spell: Spell, step: Step, wrap: str) -> str:
    args = ", ".join(json.dumps(arg) for arg in step.args)
    call = wrap.format(f"{spell(step.call)}({args})")
    if step.call.startswith(("send_", "execute_")):
        call = f"({call}).tool"
    return f"show({call});" if step.shown else f"{call};"


def node(scenario: Scenario, style: str) -> str:
    if style in PLAIN_NODE:
        prelude, spell = PLAIN_NODE[style]
        calls = "\n".join(node_call(spell, step, "{}") for step in scenario.steps)
        return SHOW_NODE + prelude + calls
    if style in MODULES:
        prelude, spell = MODULES[style]
        calls = "\n".join(node_call(spell, step, "await {}") for step in scenario.steps)
        return prelude + SHOW_NODE + calls
    wrap = "await {}"
    if style == "then":
        style, wrap = "class functions", "await {}.then((v) => v).finally(() => 0)"
    prelude, spell = NODE[style]
    calls = "\n".join(node_call(spell, step, wrap) for step in scenario.steps)
    return f"{SHOW_NODE}{prelude}async function main() {{\n{calls}\n}}\nmain();\n"


STYLES: dict[EventType, tuple[Callable[[Scenario, str], str], list[str]]] = {
    EventType.PYTHON: (python, [*PYTHON, *ASYNC_PYTHON]),
    EventType.NODEJS: (node, [*PLAIN_NODE, *NODE, "then", *MODULES]),
}


PRIMARY = {
    "global snake", "from import", "async",
    "global", "class functions", "then", "module named",
}  # fmt: skip
"""Styles that get a case for each type; the others have all types in one."""


def rendered(only: list[Scenario] | None = None) -> list[Case]:
    """Every scenario in every style of Python and Node.js.

    Args:
        only: The scenarios, in each style the same; None takes those of the style.
    """
    return [
        Case(
            id=f"{language}, {style}: {scenario.name}",
            language=language,
            script=render(scenario, style),
            stdout="".join(line(s.gives) + "\n" for s in scenario.steps if s.shown),
            input=scenario.input,
            before=scenario.before,
            after=scenario.after,
        )
        for language, (render, styles) in STYLES.items()
        for style in styles
        for scenario in only or (SINGLY if style in PRIMARY else TOGETHER)
    ]
