"""Variables of users: a shell script that sets them, for the plain ones."""

import shlex

from contracts.limits import MAX_VARIABLE_CHARS
from migration.context import Context
from migration.credentials import is_credential, names_credential

FILE = "variables.sh"
HEAD = """#!/bin/sh
# Sets the variables of the app, as texts, which they were there. Run it once, where
# `cronium` can reach the gateway: later runs would undo what scripts have changed.
set -eu
"""


def variables_of(context: Context) -> str | None:
    """Return the script, or None when there is nothing to set."""
    lines = []
    for row in context.export.of("variables"):
        key, value = row.text("key"), row.text("value")
        subject = context.subject("variable", row)
        if not key:
            row.wrong("key", "required, but missing")
        elif value and (names_credential(key) or is_credential(value)):
            subject.left_out(
                "it may be a credential: make it a secret of the events that read it, "
                f"or set it by hand with `cronium var set {shlex.quote(key)}`"
            )
        elif len(value) > MAX_VARIABLE_CHARS:
            subject.left_out(f"more than {MAX_VARIABLE_CHARS} characters")
        else:
            words = ["cronium", "var", "set", "--string", "--user"]
            words += [context.user_of(row)]
            if description := row.text("description"):
                words += ["--description", description]
            words += ["--", key, value]
            lines.append(shlex.join(words))
    return HEAD + "\n".join(lines) + "\n" if lines else None
