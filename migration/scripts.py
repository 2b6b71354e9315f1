"""Scripts stay as they are, but for credentials that are written into them.

Where one stood there is a word that says so; the value itself comes as an environment
variable, and the report says where the script must read it.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from migration.credentials import (
    HAS_CREDENTIAL_WORD,
    KNOWN_FORMS,
    USER_INFO,
    Vault,
    placeholder,
)

BEARER = re.compile(
    r"(?i)\b(?:bearer|basic|token)\s+(?P<value>[A-Za-z0-9._~+/-]{12,}={0,2})"
)
ASSIGNMENT = re.compile(
    rf"(?i)[\w.-]*(?:{HAS_CREDENTIAL_WORD.pattern}|pwd|access[_-]?key)[\w-]*['\"]?\]?"
    r"\s*(?::=|=>|[:=])\s*(?P<quote>['\"])(?P<value>[^'\"\s$<>{}]{6,})(?P=quote)"
)
BARE_ASSIGNMENT = re.compile(
    rf"(?im)^\s*(?:export\s+)?\w*(?:{HAS_CREDENTIAL_WORD.pattern}|pwd|access_?key)\w*="
    r"(?P<value>[^\s'\"$(){}<>;&|]{6,})\s*$"
)
OPTION = re.compile(
    rf"(?i)--?(?:{HAS_CREDENTIAL_WORD.pattern})[=\s]+(?P<value>[^\s'\"$(){{}}<>;&|-]"
    r"[^\s'\"$(){}<>;&|]{5,})"
)
LOGIN = re.compile(
    r"(?:\s-u|--user|--proxy-user)[=\s]+['\"]?[^\s:'\"$]+:(?P<value>[^\s'\"${}]{4,})"
)
PLAIN = re.compile(
    r"(?i)(?:os\.|process\.|env|none|null|true|false|undefined|your[-_]|changeme|xxx)"
)


class Removed(NamedTuple):
    """One credential that was in a script."""

    name: str
    line: int


def clean(
    script: str, owner: str, where: str, vault: Vault
) -> tuple[str, list[Removed]]:
    """Return a script without credentials, and what was taken out of it."""
    removed: dict[str, Removed] = {}
    for value, name in _values(script, owner, where, vault):
        if value in script:
            line = script.count("\n", 0, script.index(value)) + 1
            removed.setdefault(name, Removed(name, line))
            script = script.replace(value, placeholder(name))
    return script, list(removed.values())


def _values(
    script: str, owner: str, where: str, vault: Vault
) -> Iterator[tuple[str, str]]:
    yield from vault.known_in(script)
    found = [match.group() for match in KNOWN_FORMS.finditer(script)]
    found += [match["password"] for match in USER_INFO.finditer(script)]
    for form in (BEARER, ASSIGNMENT, BARE_ASSIGNMENT, OPTION, LOGIN):
        found += [match["value"] for match in form.finditer(script)]
    for value in sorted(set(found), key=lambda one: (-len(one), one)):
        if PLAIN.match(value) or value.startswith("REMOVED_SECRET_"):
            continue
        known = vault.name_of(value)
        purpose = f"credential that was written into the script of {where}"
        yield value, known or vault.name(owner, "script secret", purpose, value)
