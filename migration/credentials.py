"""Which texts are credentials, and the names of secrets that take their places.

When in doubt a value is a credential: a setting that became a secret works, and costs
one more name to provide; a credential that stayed is in a file for ever.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

WORDS = (
    r"pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|auth(?:orization)?|cookie|"
    r"bearer|signature|dsn|salt|jwt|"
    r"(?:api|access|private|ssh|encryption|master|signing|account|license|client)"
    r"[_.-]?key|key"
)
CREDENTIAL_NAME = re.compile(rf"(?:^|[_.-]|(?<=[a-z])(?=[A-Z]))(?:{WORDS})s?$", re.I)
HAS_CREDENTIAL_WORD = re.compile(
    r"passw(?:or)?d|passphrase|secret|token|credential|api[_-]?key|private[_-]?key",
    re.I,
)
# The app writes AES-GCM as base64 of nonce, text and tag; later versions put a version
# before it.
ENCRYPTED = re.compile(
    r"(?:(?:enc|vault|v\d+):.{16,})|(?:[A-Za-z0-9+/]{44,}={0,2})|"
    r"(?:[0-9a-f]{24,32}(?::[0-9a-f]+){1,3})",
    re.S,
)
KNOWN_FORMS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----"
    r"|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}"
    r"|\bglpat-[\w-]{16,}|\bxox[abeprs]-[A-Za-z0-9-]{10,}|\bsk[-_][A-Za-z0-9_-]{16,}"
    r"|\bAIza[\w-]{30,}|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"
    r"|(?<=hooks\.slack\.com/services/)[\w/-]{10,}"
    r"|(?<=discord\.com/api/webhooks/)[\w/-]{10,}",
    re.S,
)
USER_INFO = re.compile(r"(?<=://)(?P<user>[^\s/:@'\"]*):(?P<password>[^\s/@'\"]+)@")
LEAST_KNOWN = 8
"""A shorter value is not looked for elsewhere: it would be found in any text."""
RANDOM_LENGTH = 20
RANDOM_BITS = 3.5
"""Bits for each character above which a word is taken for a random one; English words
have about 3, base64 of random bytes above 4 at this length."""


def names_credential(name: str) -> bool:
    """Whether what has this name is a credential."""
    return bool(CREDENTIAL_NAME.search(name) or HAS_CREDENTIAL_WORD.search(name))


def is_encrypted(value: str) -> bool:
    """Whether a value is one that the app has encrypted."""
    return bool(ENCRYPTED.fullmatch(value.strip()))


def is_credential(value: str) -> bool:
    """Whether a value looks like a credential, whatever its name."""
    return bool(
        is_encrypted(value)
        or KNOWN_FORMS.search(value)
        or USER_INFO.search(value)
        or any(map(_is_random, re.split(r"[\s/?&=:,;]+", value)))
    )


def _is_random(word: str) -> bool:
    if len(word) < RANDOM_LENGTH or not re.fullmatch(r"[\w+.~-]+", word):
        return False
    if re.fullmatch(r"[0-9a-fA-F]{32,}", word):
        return True
    kinds = (r"[a-z]", r"[A-Z]", r"\d")
    if not all(re.search(kind, word) for kind in kinds):
        return False
    counts = Counter(word).values()
    bits = -sum(n / len(word) * math.log2(n / len(word)) for n in counts)
    return bits >= RANDOM_BITS


@dataclass
class Vault:
    """The secrets that somebody must provide, and the values that must not be seen."""

    needed: dict[str, str] = field(default_factory=dict)
    """Name of a secret → what it is for."""
    _values: dict[str, str] = field(default_factory=dict, repr=False)

    def name(self, owner: str, what: str, purpose: str, value: str = "") -> str:
        """Return the name of a new secret.

        Args:
            owner: What it belongs to; the name begins with it.
            what: Which credential of it.
            purpose: What to say to whoever provides it.
            value: The value, when it is known; the same value anywhere else in the
                export is replaced by this name.
        """
        words = re.sub(r"[^A-Za-z0-9]+", "_", f"{owner}_{what}").strip("_").upper()
        words = words[:200] or "SECRET"
        if words[0].isdigit() or words.startswith("CRONIUM_"):
            words = f"X_{words}"
        name, number = words, 2
        while name in self.needed:
            name, number = f"{words}_{number}", number + 1
        self.needed[name] = purpose
        if len(value) >= LEAST_KNOWN and not is_encrypted(value):
            self._values.setdefault(value, name)
        return name

    def name_of(self, value: str) -> str | None:
        """Return the secret that a value is already known as."""
        return self._values.get(value)

    @property
    def values(self) -> list[str]:
        """The known values, the longest first."""
        return sorted(self._values, key=len, reverse=True)

    def known_in(self, text: str) -> Iterator[tuple[str, str]]:
        """Yield the known values that a text holds, the longest first, with names."""
        for value in self.values:
            if value in text:
                yield value, self._values[value]


def placeholder(name: str) -> str:
    """Return what stands in a text where a secret was."""
    return f"REMOVED_SECRET_{name}"


def without_known(value: Any, vault: Vault, found: set[str]) -> Any:
    """Return data without the known values; names of what was there go to `found`."""
    if isinstance(value, str):
        for secret, name in vault.known_in(value):
            found.add(name)
            value = value.replace(secret, placeholder(name))
        return value
    if isinstance(value, dict):
        return {
            without_known(key, vault, found): without_known(item, vault, found)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [without_known(item, vault, found) for item in value]
    return value
