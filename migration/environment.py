"""Environment variables: plain ones stay, credentials become names of secrets."""

import re
from typing import Any

from contracts.events import SHELL_OWNED_NAMES
from contracts.names import ENV_NAME_PATTERN, RESERVED_ENV_PREFIX
from migration.context import Context
from migration.credentials import is_credential, is_encrypted, names_credential
from migration.notes import Subject
from migration.rows import Row


def environment_of(
    context: Context, rows: list[Row], owner: str, subject: Subject
) -> dict[str, Any]:
    """Return the `env` of an event: name → text, or the name of a secret."""
    env: dict[str, Any] = {}
    for row in rows:
        name, value = row.text("key") or row.text("name"), row.text("value")
        if not name:
            row.wrong("key", "required, but missing")
        elif not re.fullmatch(ENV_NAME_PATTERN, name) or name in SHELL_OWNED_NAMES:
            subject.left_out("a variable whose name no shell can have")
        elif name.startswith(RESERVED_ENV_PREFIX):
            subject.left_out(f"the variable {name}: CRONIUM_ belongs to the executor")
        elif name in env:
            subject.left_out(f"a second variable {name}; the first one counts")
        elif value and (names_credential(name) or is_credential(value)):
            form = " (the export has it encrypted)" if is_encrypted(value) else ""
            purpose = f"variable {name} of {subject.where}{form}"
            env[name] = {"secret": context.vault.name(owner, name, purpose, value)}
        else:
            env[name] = value
    return env
