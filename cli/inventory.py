"""The servers that people have names for: `servers.yaml`, with groups and tags.

defaults:                       # what every server has that does not say otherwise
  username: deploy
  credentials: {key: {secret: DEPLOY_KEY}}
servers:
  - name: web-1
    address: 10.0.0.11
    groups: [web]
    tags: [production]
    hostKeys: ["ssh-ed25519 AAAA…"]
"""

import contextlib
import difflib
import os
import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from cli.errors import InvalidRequest, problem_at
from contracts.limits import MAX_ID_LENGTH, MIB
from contracts.servers import ServerSpec
from contracts.validation import Problem, problems_of

DEFAULT_FILE = Path("servers.yaml")
EVERY_SERVER = "all"
MAX_FILE_BYTES = 16 * MIB
AT_HOST = re.compile(
    r"(?P<user>[^@\s]+)@(?:\[(?P<six>[0-9A-Fa-f:.%]+)\]|(?P<host>[^:\s]+))"
    r"(?::(?P<port>\d{1,5}))?"
)
FIELDS = frozenset({"defaults", "servers"})


@dataclass(frozen=True)
class Inventory:
    """Servers by name, and what is true of all of them."""

    file: Path
    servers: dict[str, ServerSpec] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    exists: bool = True

    def select(self, word: str, path: str) -> list[ServerSpec]:
        """Return the servers that a word means.

        Args:
            word: A name, `group:NAME`, `tag:NAME`, `all`, or `user@host[:port]`.
            path: Where the word stands, for the error.

        Raises:
            InvalidRequest: It means none; the message has what is close to it.
        """
        kind, colon, name = word.partition(":")
        if word in self.servers:
            return [self.servers[word]]
        if "@" in word:
            return [self._at_host(word, path)]
        if colon and kind == "group":
            return self._having("group", name, path, lambda server: server.groups)
        if colon and kind == "tag":
            return self._having("tag", name, path, lambda server: server.tags)
        if word == EVERY_SERVER and self.servers:
            return list(self.servers.values())
        raise self._unknown("server", word, self.servers, path)

    def _having(
        self,
        kind: str,
        name: str,
        path: str,
        words: Callable[[ServerSpec], list[str]],
    ) -> list[ServerSpec]:
        found = [one for one in self.servers.values() if name in words(one)]
        if found:
            return found
        known = {word for one in self.servers.values() for word in words(one)}
        raise self._unknown(kind, name, known, path)

    def _unknown(
        self, kind: str, name: str, known: Iterable[str], path: str
    ) -> InvalidRequest:
        if not self.exists:
            return problem_at(
                path,
                f"there is no {kind} {name[:100]}, and no {self.file}",
                hint="`cronium server add NAME user@host` begins an inventory.",
            )
        names = sorted(known)
        begins = [one for one in names if name and one.startswith(name)]
        close = begins[:3] or difflib.get_close_matches(name, names, n=3)
        hint = f"Did you mean {' or '.join(close)}?" if close else ""
        return problem_at(
            path,
            f"there is no {kind} {name[:100]} in {self.file}",
            hint=hint
            or f"`cronium server list` shows all {len(self.servers)} servers.",
        )

    def _at_host(self, word: str, path: str) -> ServerSpec:
        match = AT_HOST.fullmatch(word)
        if match is None:
            raise problem_at(path, "expected user@host, user@host:port or user@[IPv6]")
        address = match["six"] or match["host"]
        given: dict[str, Any] = {
            "name": word,
            "address": address,
            "username": match["user"],
        }
        if match["port"]:
            given["port"] = int(match["port"])
        defaults = {"credentials": {"agent": True}, **self.defaults}
        return server_of({**defaults, **given}, path)


def read_inventory(file: Path | None) -> Inventory:
    """Return the inventory of a file.

    Args:
        file: Which; None is `servers.yaml` here, which need not exist.

    Raises:
        InvalidRequest: It cannot be read; every problem is named.
    """
    wanted = file or DEFAULT_FILE
    if file is None and not wanted.exists():
        return Inventory(wanted, exists=False)
    return parse(_read(wanted), wanted)


def parse(text: str, file: Path) -> Inventory:
    """Return the inventory that a text says.

    Raises:
        InvalidRequest: With every problem.
    """
    data = _load(text, file)
    problems = [
        Problem(
            path=str(file), message=f"unknown field {key}; known: defaults, servers"
        )
        for key in sorted(set(data) - FIELDS)
    ]
    defaults, listed = data.get("defaults") or {}, data.get("servers") or []
    if not isinstance(defaults, dict) or not isinstance(listed, list):
        raise problem_at(str(file), "expected `defaults` and a list of `servers`")
    servers: dict[str, ServerSpec] = {}
    for index, item in enumerate(listed):
        path = f"{file}: servers[{index}]"
        if not isinstance(item, dict):
            problems.append(Problem(path=path, message="expected fields"))
            continue
        try:
            server = server_of({**defaults, **item}, path)
        except InvalidRequest as error:
            problems += error.problems
            continue
        if server.name in servers:
            problems.append(Problem(path=path, message=f"{server.name} is there twice"))
        servers[server.name] = server
    if problems:
        raise InvalidRequest(problems)
    return Inventory(file, servers, defaults)


def server_of(data: dict[str, Any], path: str) -> ServerSpec:
    """Return a server from its fields; its id is made of its name.

    Raises:
        InvalidRequest: The fields do not fit.
    """
    if "id" not in data and isinstance(data.get("name"), str):
        words = re.sub(r"[^A-Za-z0-9._-]+", "-", data["name"]).strip("-._")
        data = {**data, "id": words[:MAX_ID_LENGTH] or "server"}
    try:
        return ServerSpec.model_validate(data)
    except ValidationError as error:
        raise InvalidRequest(
            [
                Problem(
                    path=f"{path}.{problem.path}" if problem.path else path,
                    message=problem.message,
                )
                for problem in problems_of(error, ServerSpec)
            ]
        ) from None


def append(file: Path, entry: dict[str, Any]) -> None:
    """Write a server at the end of an inventory; all that stands there stays.

    Raises:
        InvalidRequest: It does not fit, or the file must be edited by hand.
    """
    text = _read(file) if file.exists() else ""
    before = _load(text, file)
    snippet = yaml.safe_dump([entry], sort_keys=False, allow_unicode=True)
    for indent in ("", "  ", "    "):
        lines = "".join(f"{indent}{line}\n" for line in snippet.splitlines())
        head = text if not text or text.endswith("\n") else text + "\n"
        if "servers" not in before:
            head += "servers:\n"
        after = head + lines
        if _is_like(
            after, {**before, "servers": [*(before.get("servers") or []), entry]}
        ):
            parse(after, file)
            _replace(file, after)
            return
    raise problem_at(
        str(file),
        "cannot add to a list that does not stand last, or in brackets",
        hint=f"Put this in by hand:\n{snippet}",
    )


def _is_like(text: str, expected: Any) -> bool:
    with contextlib.suppress(yaml.YAMLError):
        return bool(yaml.safe_load(text) == expected)
    return False


def _replace(file: Path, text: str) -> None:
    """Write a file as a whole: readers see the old one or the new one."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        draft.write_text(text)
        if file.exists():
            shutil.copymode(file, draft)
        draft.replace(file)
    except OSError as error:
        raise problem_at(str(file), f"cannot be written: {error.strerror}") from None
    finally:
        draft.unlink(missing_ok=True)


def _load(text: str, file: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(text) or {}
    except RecursionError:
        raise problem_at(str(file), "nested too deep") from None
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else str(file)
        raise problem_at(where, "not valid YAML") from None
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise problem_at(str(file), "expected `defaults` and a list of `servers`")
    return data


def _read(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise problem_at(str(file), f"has more than {MAX_FILE_BYTES} bytes")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise problem_at(str(file), f"cannot be read: {error.strerror}") from None
    except ValueError:
        raise problem_at(str(file), "is not text in UTF-8") from None
