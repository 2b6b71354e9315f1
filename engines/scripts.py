"""How a script is handed to its interpreter, whatever the place it runs in."""

import re

from contracts.events import EventType

INTERPRETERS = {
    EventType.BASH: ("bash", "script.sh"),
    EventType.PYTHON: ("python3", "script.py"),
    EventType.NODEJS: ("node", "script.js"),
}
MODULE = "script.mjs"
# A line that begins so is an ES module's, or one in a comment or a text: Node.js itself
# is asked which, so a script that is CommonJS always runs as that.
MODULE_HINT = re.compile(
    r"^\s*(?:import\s*[\w{*'\"]|export\s+[\w{*])|^\S.*\bawait\b|^await\b", re.MULTILINE
)
# Exits 1 if the file cannot be a CommonJS module; what `node --check` says of that
# differs between versions.
MODULE_CHECK = (
    'const text = require("fs").readFileSync(process.argv[1], "utf8");'
    'const names = ["exports", "require", "module", "__filename", "__dirname"];'
    'require("vm").compileFunction(text.replace(/^#!.*/, ""), names)'
)
MISSING_CODE = 127


def may_be_module(event_type: EventType, script: str) -> bool:
    """Whether a script may be an ES module, so that Node.js itself must be asked."""
    return event_type is EventType.NODEJS and bool(MODULE_HINT.search(script))


def quoted(value: str) -> str:
    """Return a value as one single-quoted sh word."""
    return "'" + value.replace("'", "'\\''") + "'"


def environment_file(env: dict[str, str]) -> str:
    """Return the sh text that exports the variables; values are data, never code."""
    return "".join(f"export {name}={quoted(value)}\n" for name, value in env.items())
