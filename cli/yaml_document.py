"""YAML that is read for what it says and for where it says it.

Problems of a field are told with the line it stands in; keys that are there twice,
which YAML's usual readers take without a word, are refused.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic.alias_generators import to_camel
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from cli.errors import InvalidRequest
from contracts.limits import MIB
from contracts.validation import Problem

MAX_FILE_BYTES = 8 * MIB
# What aliases make of a small file: each use counts.
MAX_NODES = 200_000
PART = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


@dataclass(frozen=True)
class Document:
    """One document of a file."""

    file: Path
    data: dict[str, Any]
    root: Node

    def line(self, path: str = "") -> int:
        """Return the line, from 1, of a field such as `event.env[3].name`.

        Of a field that is not there it is the line of what it is missing in.
        """
        node = self.root
        line = node.start_mark.line
        for index, name in PART.findall(path):
            found = _item(node, int(index)) if index else _field(node, name)
            if found is None:
                break
            line, node = found
        return int(line) + 1

    def problem(self, path: str, message: str) -> Problem:
        """Return a problem of a field, with its place in the file."""
        place = f"{self.file}:{self.line(path)}"
        return Problem(path=f"{place}: {path}" if path else place, message=message)


def read_documents(file: Path) -> list[Document]:
    """Return the documents of a file, empty ones left out.

    Raises:
        InvalidRequest: It is no YAML; each problem has its line.
    """
    text = _text(file)
    try:
        loader = yaml.SafeLoader(text)
        documents, problems = [], []
        while loader.check_node():
            root = loader.get_node()
            assert root is not None, "check_node has seen it"
            problems += _doubles(file, root)
            if isinstance(root, ScalarNode) and root.tag.endswith(":null"):
                continue
            if not isinstance(root, MappingNode):
                where = f"{file}:{root.start_mark.line + 1}"
                problems.append(Problem(path=where, message="expected fields"))
            elif not problems:
                data = yaml.SafeLoader("").construct_document(root)
                documents.append(Document(file, data, root))
    except RecursionError:
        raise _wrong(str(file), "nested too deep") from None
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else str(file)
        reason = getattr(error, "problem", None) or "not valid YAML"
        raise _wrong(where, f"not valid YAML: {reason}") from None
    if problems:
        raise InvalidRequest(problems)
    return documents


def _doubles(file: Path, root: Node) -> list[Problem]:
    """Return the keys that are there twice, and what makes a file too large."""
    problems: list[Problem] = []
    sizes: dict[int, int] = {}
    open_: set[int] = set()

    def size(node: Node) -> int:
        if id(node) in open_:
            raise yaml.composer.ComposerError(
                None, None, "an alias that contains itself", node.start_mark
            )
        if id(node) not in sizes:
            open_.add(id(node))
            sizes[id(node)] = 1 + sum(map(size, children(node)))
            open_.discard(id(node))
        return sizes[id(node)]

    def children(node: Node) -> list[Node]:
        if isinstance(node, SequenceNode):
            return list(node.value)
        if not isinstance(node, MappingNode):
            return []
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, ScalarNode) or not key.tag.endswith(":str"):
                where = f"{file}:{key.start_mark.line + 1}"
                message = "the name of a field must be text: put it in quotes"
                if not key.tag.endswith(":merge"):
                    problems.append(Problem(path=where, message=message))
                continue
            line = key.start_mark.line + 1
            if key.value in seen:
                where = f"{file}:{line}: {key.value[:100]}"
                message = f"is there twice, in line {seen[key.value]} as well"
                problems.append(Problem(path=where, message=message))
            seen[key.value] = line
        return [value for _, value in node.value]

    if size(root) > MAX_NODES:
        raise _wrong(str(file), f"more than {MAX_NODES} values, aliases counted")
    return problems


def _field(node: Node, name: str) -> tuple[int, Node] | None:
    if not isinstance(node, MappingNode):
        return None
    for key, value in node.value:
        # People may write snake_case, where problems are told in camelCase.
        if name in (key.value, to_camel(str(key.value))):
            return key.start_mark.line, value
    return None


def _item(node: Node, index: int) -> tuple[int, Node] | None:
    if isinstance(node, SequenceNode) and index < len(node.value):
        return node.value[index].start_mark.line, node.value[index]
    if isinstance(node, MappingNode) and index < len(node.value):
        # People may write a map where the contract has a list, of env for one.
        key, value = node.value[index]
        return key.start_mark.line, value
    return None


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _wrong(str(file), f"cannot be read: {error.strerror}") from None
    if len(data) > MAX_FILE_BYTES:
        raise _wrong(str(file), f"has more than {MAX_FILE_BYTES} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _wrong(str(file), "is not text in UTF-8") from None


def _wrong(where: str, message: str) -> InvalidRequest:
    return InvalidRequest([Problem(path=where, message=message)])
