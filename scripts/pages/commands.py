"""The page of the `cronium` command, as its own help has it."""

import re

import typer.main
from typer.cli import get_docs_for_click

from cli.main import build

HEAD = """# Commands

Made from the command itself; `cronium COMMAND --help` says it too.
"""
TAG = re.compile(r"</?(?:bool|int|str|float|path)>", re.I)


def command_page() -> str:
    """Return the page."""
    command = typer.main.get_command(build())
    context = command.make_context("cronium", [], resilient_parsing=True)
    text = get_docs_for_click(obj=command, ctx=context, name="cronium", title=" ")
    # Examples are lines of their own in the help; on the page they are code.
    lines = []
    for line in text.splitlines():
        if line.startswith("  cronium "):
            lines += ["", f"    {line.strip()}", ""]
        elif not line.strip("# "):
            lines.append("")
        else:
            lines.append(TAG.sub(r"`\g<0>`", line))
    body = re.sub(r"\n{3,}", "\n\n", "\n".join(lines))
    return f"{HEAD}\n{body.strip()}\n"
