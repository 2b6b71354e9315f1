"""The table of docs/helpers.md: what the compatibility suite runs, and so what works.

`make docs` writes it. A cell says how many scripts of the suite make this call in this
style; each must print and leave behind exactly what is written down for it.
"""

import re
from collections import Counter
from pathlib import Path

from contracts.events import EventType
from tests.compat import bash
from tests.compat.rendering import (
    ASYNC_PYTHON,
    MODULES,
    NODE,
    PLAIN_NODE,
    PRIMARY,
    PYTHON,
    STYLES,
    Spell,
    camel,
)
from tests.compat.steps import SINGLY, TOGETHER, VALUES
from tests.pages import put_section

PAGE = Path(__file__).parents[2] / "docs" / "helpers.md"
NAME = "compat"
LABELS = {
    "async": "`AsyncCronium`, snake_case",
    "async camel": "`AsyncCronium`, camelCase",
    "global": "`cronium.…` as it is, no require",
    "global destructured": "`const { … } = cronium`",
    "global awaited": "`cronium.…` awaited, no require",
    "class functions": "`cronium = require('cronium')`, awaited",
    "destructured": "`const { … } = require('cronium')`, awaited",
    "singleton": "`const { cronium } = require('cronium')`, awaited",
    "instance": "`new Cronium()`, awaited",
    "then": "`.then()` and `.finally()` on what is required",
    "module default": "`import cronium from 'cronium'`",
    "module named": "`import { … } from 'cronium'`",
    "module singleton": "`import { cronium } from 'cronium'`",
    "top-level await": "`require`, with `await` outside of functions",
}
PYTHON_LABELS = {
    "global snake": "`cronium.…`, no import",
    "global camel": "`cronium.…` in camelCase, no import",
    "import": "`import cronium`",
    "from import": "`from cronium import …`",
    "from import camel": "`from cronium import …` in camelCase",
    "star": "`from cronium import *`",
    "singleton": "`from cronium import cronium`",
    "class": "`Cronium()`",
}
BASH_NAME = re.compile(r"(?<![\w/])_?cronium[._](?!sh\b)[A-Za-z]\w*")
TITLES = {EventType.PYTHON: "Python", EventType.NODEJS: "Node.js"}


def table() -> str:
    """Return the tables as Markdown."""
    parts = [_table(language) for language in TITLES]
    return "\n\n".join([*parts, _bash(), _types()])


def spelling(language: EventType, style: str) -> Spell:
    """Return how a style spells a call."""
    every: dict[str, Spell] = dict(ASYNC_PYTHON)
    prepared = PYTHON if language is EventType.PYTHON else NODE | MODULES | PLAIN_NODE
    every |= {name: spell for name, (_, spell) in prepared.items()}
    every["then"] = camel
    return every[style]


def _table(language: EventType) -> str:
    styles = STYLES[language][1]
    labels = {**LABELS, **PYTHON_LABELS} if language is EventType.PYTHON else LABELS
    counts = {style: _calls(style) for style in styles}
    calls = list(dict.fromkeys(call for found in counts.values() for call in found))
    rows = [
        [f"`{_shown(language, call)}`", *(str(counts[s][call]) for s in styles)]
        for call in calls
    ]
    legend = "\n".join(
        f"{number}. {labels[style]}" for number, style in enumerate(styles, start=1)
    )
    head = [TITLES[language], *(str(number) for number in range(1, len(styles) + 1))]
    return f"Styles of {TITLES[language]}:\n\n{legend}\n\n{_md(head, rows)}"


def _calls(style: str) -> Counter[str]:
    scenarios = SINGLY if style in PRIMARY else TOGETHER
    return Counter(
        call
        for scenario in scenarios
        # Each once, and in an order that is always the same.
        for call in dict.fromkeys(step.call for step in scenario.steps)
    )


def _shown(language: EventType, call: str) -> str:
    if language is EventType.NODEJS or call == camel(call):
        return camel(call)
    return f"{call}` `{camel(call)}"


def _bash() -> str:
    counts = Counter(
        name for case in bash.CASES for name in set(BASH_NAME.findall(case.script))
    )
    rows = [[f"`{name}`", str(counts[name])] for name in sorted(counts, key=_bash_key)]
    half = (len(rows) + 1) // 2
    paired = [
        [*left, *(rows[half + number] if half + number < len(rows) else ["", ""])]
        for number, left in enumerate(rows[:half])
    ]
    return _md(["Bash", "Scripts", "Bash", "Scripts"], paired)


def _bash_key(name: str) -> str:
    return name.lstrip("_").replace(".", "_").lower()


def _types() -> str:
    values = ", ".join(VALUES)
    return _wrapped(
        "Values that go in as input, through a variable and out as output in every one "
        f"of these styles, and come back with their type: {values}. In Bash, where all "
        "is text, null reads as nothing."
    )


def _md(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _wrapped(text: str) -> str:
    lines = [""]
    for word in text.split(" "):
        if len(lines[-1]) + len(word) > 108:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return "\n".join(lines)


if __name__ == "__main__":
    put_section(PAGE, NAME, table())
