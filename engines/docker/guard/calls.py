"""The calls of the Docker API that our engine makes; there are no others.

A request is taken apart here and written anew for the daemon from its parts: what is
not understood cannot pass, and no second request can hide in a first one.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from engines.docker.guard.errors import CallRefused

VERSION = re.compile(r"/v1\.\d{1,2}(?=/)")
CONTAINER = r"(?P<container>[A-Za-z0-9][A-Za-z0-9_.-]{0,127})"
NETWORK = r"(?P<network>[A-Za-z0-9][A-Za-z0-9_.-]{0,127})"
# A name, a tag, a digest; registries have ports. Never a part of dots alone.
IMAGE = r"(?P<image>[A-Za-z0-9][A-Za-z0-9_:.@-]*(?:/[A-Za-z0-9][A-Za-z0-9_:.@-]*)*)"
CONTAINERS = "/containers/"
LONGEST_TARGET = 8192
# What the API calls its parts: no name of a container or an image looks so by chance.
WORD = re.compile(r"[A-Za-z_]{1,16}")


class Kind(Enum):
    """What is to be checked before a call may pass."""

    FREE = auto()
    CREATE = auto()
    LIST = auto()
    OWN = auto()
    START = auto()
    RENAME = auto()
    ATTACH = auto()
    PULL = auto()
    NETWORK_CREATE = auto()
    NETWORK_OWN = auto()


@dataclass(frozen=True, slots=True)
class Rule:
    """One call of the API."""

    methods: tuple[str, ...]
    path: re.Pattern[str]
    kind: Kind
    query: frozenset[str]


def _rule(methods: str, path: str, kind: Kind, query: str = "") -> Rule:
    return Rule(
        tuple(methods.split()), re.compile(path), kind, frozenset(query.split())
    )


RULES = (
    _rule("GET HEAD", "/_ping", Kind.FREE),
    _rule("GET", "/version", Kind.FREE),
    _rule("POST", "/containers/create", Kind.CREATE, "name"),
    _rule("GET", "/containers/json", Kind.LIST, "limit all size trunc_cmd filters"),
    _rule("GET", f"/containers/{CONTAINER}/json", Kind.OWN),
    _rule("POST", f"/containers/{CONTAINER}/start", Kind.START),
    _rule("POST", f"/containers/{CONTAINER}/wait", Kind.OWN, "condition"),
    _rule("POST", f"/containers/{CONTAINER}/kill", Kind.OWN, "signal"),
    _rule("POST", f"/containers/{CONTAINER}/rename", Kind.RENAME, "name"),
    _rule(
        "POST", f"/containers/{CONTAINER}/attach", Kind.ATTACH, "stdout stderr stream"
    ),
    _rule(
        "GET",
        f"/containers/{CONTAINER}/logs",
        Kind.OWN,
        "stdout stderr follow timestamps",
    ),
    _rule("DELETE", f"/containers/{CONTAINER}", Kind.OWN, "v link force"),
    _rule("GET", f"/images/{IMAGE}/json", Kind.FREE),
    _rule("POST", "/images/create", Kind.PULL, "fromImage tag"),
    _rule("GET", "/networks", Kind.FREE, "filters"),
    _rule("POST", "/networks/create", Kind.NETWORK_CREATE),
    _rule("GET", f"/networks/{NETWORK}", Kind.NETWORK_OWN),
    _rule("DELETE", f"/networks/{NETWORK}", Kind.NETWORK_OWN),
)


@dataclass(frozen=True, slots=True)
class Call:
    """A request that is one of ours by its form."""

    method: str
    version: str
    path: str
    kind: Kind
    query: dict[str, str]
    names: dict[str, str]

    @property
    def container(self) -> str:
        """The container as the caller named it; "" when the call is about none."""
        return self.names.get("container", "")

    def target(self, container: str | None = None) -> str:
        """Return what to ask the daemon for.

        Args:
            container: The id to name a container by, instead of what the caller said.
        """
        path = self.path
        if container is not None:
            path = CONTAINERS + container + path[len(CONTAINERS + self.container) :]
        words = urlencode(self.query)
        return self.version + quote(path, safe="/:") + ("?" + words if words else "")


def understood(method: str, target: str) -> Call:
    """Return the call that a request is.

    Raises:
        CallRefused: It is none of ours.
    """
    if not target.startswith("/") or len(target) > LONGEST_TARGET:
        raise CallRefused("the guard takes no such address")
    parts = urlsplit(target)
    path = unquote(parts.path)
    match = VERSION.match(path)
    version = match[0] if match else ""
    path = path[len(version) :]
    for rule in RULES:
        found = rule.path.fullmatch(path)
        if found and method in rule.methods:
            query = _query(parts.query, rule.query)
            return Call(method, version, path, rule.kind, query, found.groupdict())
    raise CallRefused(f"{_word(method)} {_shape(path)} is no call of the executor's")


def _query(text: str, known: Iterable[str]) -> dict[str, str]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text))
    except ValueError:
        raise CallRefused("the query cannot be read") from None
    for name, _ in pairs:
        if name not in known:
            raise CallRefused(f"?{_word(name)}= is no part of this call")
    if len(dict(pairs)) != len(pairs):
        raise CallRefused("a part of the query is there twice")
    return dict(pairs)


def _shape(path: str) -> str:
    """Return a path of the caller's without the names in it."""
    return "/".join(_word(part) for part in path.split("/")[:6])


def _word(text: str) -> str:
    return text if not text or WORD.fullmatch(text) else "…"
