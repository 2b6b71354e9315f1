"""Templates of messages: Jinja2, checked early, rendered where they can do no harm.

The Handlebars messages of the older app are not supported; one is refused with a
sentence that says so. What a template may read is in `contracts.deliveries`.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import TemplateSyntaxError, nodes

from contracts.errors import TemplateInvalid
from engines import rendering

PROGRAM = Path(rendering.__file__)
# Python and Jinja2 start in 0.1 s; a busy host may need longer, a template may not.
WALL_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Template:
    """One field of a message.

    Args:
        text: Jinja2.
        limit: Characters that the result may have; it is cut there, and says so.
        escape: Whether values are escaped for HTML.
    """

    text: str
    limit: int
    escape: bool = False


def check_syntax(text: str, field: str) -> None:
    """Raise when a text is no template. Nothing of it is evaluated.

    Args:
        text: Jinja2.
        field: Path of the field, for the message.

    Raises:
        TemplateInvalid: The message names field and line.
    """
    environment = rendering.environment()
    try:
        # No compiling: that would work out constant expressions, however large.
        tree = environment.parse(text)
    except TemplateSyntaxError as error:
        raise TemplateInvalid(f"{field}: {rendering.explain(error, text)}") from None
    except RecursionError:
        raise TemplateInvalid(f"{field}: it is nested too deep") from None
    for kind, known in (
        (nodes.Filter, environment.filters), (nodes.Test, environment.tests),
    ):  # fmt: skip
        for node in tree.find_all(kind):
            if node.name not in known:
                word = kind.__name__.lower()
                raise TemplateInvalid(
                    f"{field}: line {node.lineno}: no {word} named {node.name!r}"
                )


async def render(
    templates: Mapping[str, Template], context: Mapping[str, Any]
) -> dict[str, str]:
    """Return the texts of the fields of one message.

    Args:
        templates: Field name → template.
        context: JSON values by name.

    Raises:
        TemplateInvalid: A name is missing, or it takes too much time or memory; the
            message names the field.
    """
    order = {
        "fields": {
            name: {"text": item.text, "limit": item.limit, "escape": item.escape}
            for name, item in templates.items()
        },
        "context": context,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", str(PROGRAM),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL, env={},
    )  # fmt: skip
    try:
        async with asyncio.timeout(WALL_SECONDS):
            written, _ = await process.communicate(json.dumps(order).encode())
    except TimeoutError:
        written = b""
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    return _texts(written, templates)


def _texts(written: bytes, templates: Mapping[str, Template]) -> dict[str, str]:
    try:
        reply = json.loads(written)
    except ValueError:
        raise TemplateInvalid(
            f"{' or '.join(templates)}: the template takes more than "
            f"{rendering.CPU_SECONDS} s or {rendering.MEMORY_BYTES >> 20} MiB"
        ) from None
    if "problem" in reply:
        raise TemplateInvalid(f"{reply['field']}: {reply['problem']}")
    texts: dict[str, str] = reply["texts"]
    return texts
