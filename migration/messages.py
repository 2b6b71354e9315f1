"""Templates of messages: from Handlebars over `cronium` to Jinja2 over ours.

Only what has an exact counterpart is rewritten; any other template is kept as it is,
as plain text, and the report says so.
"""

import re

PATHS = {
    "event.id": "event.id",
    "event.name": "event.name",
    "event.status": "status",
    "event.duration": "duration",
    "event.executionTime": "executionTime",
    "event.server": "targets[0].target",
    "event.output": "output",
    "event.error": "error.message",
    "getCondition": "condition",
    "input": "input",
    "getVariables": "variables",
}
FILTERS = {
    "formatDuration": "formatDuration",
    "formatTime": "formatTime",
    "json": "json",
}
TAG = re.compile(r"\{\{\{?(?P<inside>[^{}]*)\}?\}\}")
PATH = re.compile(r"(?:cronium\.)?(?P<path>[A-Za-z_]\w*(?:\.\w+)*)")
CONDITION = re.compile(r"#if\s+(?P<path>\S+)")
EQUALS = re.compile(r"#ifEquals\s+(?P<path>\S+)\s+(?P<text>\"[^\"{}]*\"|'[^'{}]*'|\d+)")


class _Unknown(Exception):
    """A part of the template has no counterpart."""


def to_jinja(template: str) -> str | None:
    """Return a template as Jinja2, or None when a part of it has no counterpart."""
    if "{%" in template or "{#" in template.replace("{{#", ""):
        return None
    blocks: list[str] = []
    try:
        text = TAG.sub(lambda match: _tag(match["inside"].strip(), blocks), template)
    except _Unknown:
        return None
    rest = TAG.sub("", template)
    return None if blocks or "{{" in rest or "}}" in rest else text


def as_plain(template: str) -> str:
    """Return a template that gives this text as it is."""
    return "{% raw %}" + template.replace("{% endraw %}", "") + "{% endraw %}"


def _tag(inside: str, blocks: list[str]) -> str:
    if inside in ("/if", "/ifEquals"):
        if not blocks or blocks.pop() != inside:
            raise _Unknown
        return "{% endif %}"
    if inside == "else" and blocks:
        return "{% else %}"
    if match := CONDITION.fullmatch(inside):
        blocks.append("/if")
        return f"{{% if {_path(match['path'])} | default(none) %}}"
    if match := EQUALS.fullmatch(inside):
        blocks.append("/ifEquals")
        return f"{{% if {_path(match['path'])} | default(none) == {match['text']} %}}"
    helper, _, argument = inside.partition(" ")
    if argument:
        if helper not in FILTERS:
            raise _Unknown
        return f"{{{{ {_path(argument.strip())} | {FILTERS[helper]} }}}}"
    # Handlebars writes nothing for what is not there.
    return f'{{{{ {_path(inside)} | default("", true) }}}}'


def _path(text: str) -> str:
    match = PATH.fullmatch(text)
    if match is None:
        raise _Unknown
    for old, new in PATHS.items():
        if match["path"] == old or match["path"].startswith(old + "."):
            return new + match["path"].removeprefix(old)
    raise _Unknown
