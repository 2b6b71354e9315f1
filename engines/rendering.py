"""The program that renders the templates of one message, in a process of its own.

A template comes from a user and may loop for ever or make a string of gigabytes. No
check of its text finds all of that, but the kernel stops a process that uses too much
time or memory. The sandbox of Jinja2 stands in the way to Python's insides; behind it
there is a process with an empty environment that knows nothing but the message.

Reads one JSON object from stdin and writes one to stdout; see `engines.templates`.
"""

import difflib
import json
import resource
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

CPU_SECONDS = 2
MEMORY_BYTES = 512 << 20
FILE_NAME = "<template>"
CUT = "\n[cut here: the message is longer than {limit} characters]"
HANDLEBARS = ("{{#", "{{/", "{{else")


class Missing(StrictUndefined):
    """A name that is not there: the message says which one, and what there is."""

    @property
    def _undefined_message(self) -> str:
        name = str(self._undefined_name)
        if self._undefined_hint:
            return str(self._undefined_hint)
        if self._undefined_obj is missing:
            return f"`{name}` is not known" + _suggestion(name, Environment.known)
        if isinstance(self._undefined_obj, Mapping):
            known = [str(key) for key in self._undefined_obj]
            return f"`{name}` is not there" + _suggestion(name, known)
        kind = type(self._undefined_obj).__name__
        return f"`{name}` is not there: the value is of type {kind}"


class Environment(ImmutableSandboxedEnvironment):
    """Names are looked up in data before they are methods of Python's types."""

    known: list[str] = []

    def getattr(self, obj: Any, attribute: str) -> Any:
        """See base class: `output.items` is the key, if there is one."""
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


def environment(*, escape: bool = False) -> Environment:
    """Return the environment that templates are read and rendered in."""
    made = Environment(undefined=Missing, autoescape=escape, keep_trailing_newline=True)
    made.globals.pop("lipsum", None)
    made.filters["formatDuration"] = format_duration
    made.filters["formatTime"] = format_time
    made.filters["json"] = format_json
    return made


def format_duration(milliseconds: float) -> str:
    """Return milliseconds as people say them: `850 ms`, `4.2 s`, `1 h 02 m 05 s`."""
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float):
        raise TypeError("formatDuration needs a number of milliseconds")
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.1f} s"
    minutes, seconds = divmod(int(milliseconds // 1000), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} m {seconds:02} s"
    return f"{minutes} m {seconds:02} s"


def format_time(moment: float | str, form: str = "%Y-%m-%d %H:%M:%S UTC") -> str:
    """Return a time (seconds since 1970, or ISO text) in UTC.

    Args:
        moment: The time.
        form: As for `strftime`.
    """
    if isinstance(moment, str):
        when = datetime.fromisoformat(moment)
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
    elif isinstance(moment, int | float) and not isinstance(moment, bool):
        when = datetime.fromtimestamp(moment, UTC)
    else:
        raise TypeError("formatTime needs seconds since 1970 or a time as ISO text")
    return when.astimezone(UTC).strftime(form)


def format_json(value: Any, indent: int | None = None) -> str:
    """Return a value as JSON text."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def render(
    text: str, context: Mapping[str, Any], *, escape: bool, limit: int
) -> tuple[str, str]:
    """Return the text of a template and "", or "" and what is wrong with it."""
    Environment.known = sorted(context)
    try:
        template = environment(escape=escape).from_string(text)
        pieces, size = [], 0
        for piece in template.generate(context):
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                return "".join(pieces)[:limit] + CUT.format(limit=limit), ""
        return "".join(pieces), ""
    except MemoryError:
        return "", f"it needs more than {MEMORY_BYTES >> 20} MiB of memory"
    except RecursionError:
        return "", "it is nested too deep"
    except Exception as error:
        return "", explain(error, text)


def explain(error: Exception, text: str) -> str:
    """Return what is wrong with a template: the line, the name, what to write."""
    if isinstance(error, TemplateSyntaxError):
        hint = ""
        if any(mark in text.replace("{{ ", "{{") for mark in HANDLEBARS):
            hint = " (this is Handlebars; messages are Jinja2: {% if … %}{% endif %})"
        return f"line {error.lineno}: {error.message}{hint}"
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == FILE_NAME
    ]
    where = f"line {lines[-1]}: " if lines else ""
    # Other errors may have values of the data in their text.
    plain = isinstance(error, TemplateError | TypeError | ZeroDivisionError)
    return where + (str(error)[:300] if plain else type(error).__name__)


def _suggestion(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f" (did you mean `{close[0]}`?)"
    return f"; known: {', '.join(known[:20])}" if known else ""


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Render every field of the order on stdin."""
    order = json.load(sys.stdin.buffer)
    _limit()
    texts: dict[str, str] = {}
    for name, field in order["fields"].items():
        text, problem = render(
            field["text"], order["context"], escape=field["escape"],
            limit=field["limit"],
        )  # fmt: skip
        if problem:
            json.dump({"field": name, "problem": problem}, sys.stdout)
            return
        texts[name] = text
    json.dump({"texts": texts}, sys.stdout)


if __name__ == "__main__":
    main()
