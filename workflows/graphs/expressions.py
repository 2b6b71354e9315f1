"""`{{ }}` expressions of graphs: JSON in, JSON out, the same on every replay.

Jinja2's sandbox evaluates them, with less than it offers: expressions alone, no
statements, no calls, no attributes of Python objects; filters from a list of those
whose results are bounded. Nothing in here knows time, chance or the outside. A text
that is one expression gives that expression's value, any other text gives a text.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from jinja2 import StrictUndefined, TemplateError, nodes
    from jinja2.exceptions import UndefinedError
    from jinja2.sandbox import SandboxedEnvironment

    from contracts.limits import MAX_EXPRESSION_CHARS, MAX_INPUT_BYTES
    from contracts.validation import Problem, path_of
    from contracts.wire_text import json_size
    from workflows.graphs.filters import FILTERS, TESTS, TooLargeError, bounded_add

OPENING = "{{"
# Never in a field, since contract and JSON have no NUL: only `{{ }}` is syntax.
NEVER = "\0"
CACHED = 2_000
MAX_NESTING = 30
ALLOWED = (
    nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem, nodes.Slice,
    nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand, nodes.And, nodes.Or,
    nodes.Not, nodes.Neg, nodes.Pos, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div,
    nodes.FloorDiv, nodes.Mod, nodes.CondExpr, nodes.List, nodes.Tuple, nodes.Dict,
    nodes.Pair, nodes.Keyword,
)  # fmt: skip
NUMBERS_ALONE = frozenset({"-", "*", "/", "//", "%"})
WORDS: dict[type[nodes.Node], str] = {
    nodes.Call: "a call",
    nodes.Pow: "`**`",
    nodes.Concat: "`~`",
}


class ExpressionError(Exception):
    """An expression cannot be evaluated.

    Args:
        message: What is wrong with it, without any value.
        path: Of the field; "" until somebody knows it.
    """

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.message = message
        self.path = path


@dataclass(frozen=True)
class Reads:
    """What an expression reads, as far as it stands in its text."""

    roots: frozenset[str] = frozenset()
    """First names: `input`, `nodes`, `variables` …"""
    nodes: frozenset[str] = frozenset()
    variables: frozenset[str] = frozenset()


class _Missing(StrictUndefined):
    """What is not there; says its name as soon as it is used."""


class _JsonEnvironment(SandboxedEnvironment):
    """Looks up keys and indexes of JSON data; Python's attributes do not exist."""

    intercepted_binops = NUMBERS_ALONE | {"+"}

    def __init__(self) -> None:
        super().__init__(
            block_start_string=NEVER + "{%",
            block_end_string="%}" + NEVER,
            comment_start_string=NEVER + "{#",
            comment_end_string="#}" + NEVER,
            undefined=_Missing,
            keep_trailing_newline=True,
            # Constant parts would be worked out while compiling, however large.
            optimized=False,
            cache_size=0,
        )
        self.filters = dict(FILTERS)
        self.tests = dict(TESTS)
        self.globals = {}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Take `a.b` as `a["b"]`."""
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return what is there, else something that says its name when it is used."""
        if isinstance(obj, StrictUndefined):
            return obj
        try:
            if isinstance(obj, Mapping) or (
                isinstance(obj, list | str) and isinstance(argument, int | slice)
            ):
                return obj[argument]
        except (KeyError, IndexError, TypeError, ValueError):
            pass
        return _Missing(name=str(argument))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Keep arithmetic to what cannot become large."""
        if operator == "+":
            return bounded_add(left, right)
        for value in (left, right):
            if isinstance(value, StrictUndefined):
                str(value)
            if not isinstance(value, int | float):
                raise TypeError(f"`{operator}` is for numbers")
        return super().call_binop(context, operator, left, right)


_ENVIRONMENT = _JsonEnvironment()


class _Compiled:
    """A text with expressions, ready to be evaluated."""

    def __init__(self, text: str) -> None:
        self.parts: list[str | tuple[Any, Reads]] = []
        for part in _parse(text):
            if isinstance(part, nodes.TemplateData):
                self.parts.append(part.data)
                continue
            _check(part)
            body = [nodes.Assign(nodes.Name("result", "store"), part, lineno=1)]
            tree = nodes.Template(body, lineno=1)
            tree.set_environment(_ENVIRONMENT)
            self.parts.append((_ENVIRONMENT.from_string(tree), _reads(part)))

    def value(self, data: Mapping[str, Any]) -> Any:
        values = [
            part if isinstance(part, str) else _evaluate(part[0], data)
            for part in self.parts
        ]
        if len(values) == 1:
            return values[0]
        size = 0
        texts = []
        for value in values:
            texts.append(value if isinstance(value, str) else _text(value))
            size += len(texts[-1])
            if size > MAX_INPUT_BYTES:
                raise TooLargeError
        return "".join(texts)


def evaluate(value: Any, data: Mapping[str, Any], path: str) -> Any:
    """Return a JSON value whose texts are evaluated, wherever they stand in it.

    Args:
        value: Of a field that may hold expressions.
        data: What they may read, by first name.
        path: Of the field, for errors.

    Raises:
        ExpressionError: Something is missing, of a wrong type, or too large; the
            message has the path of the text.
    """
    found = _walk(value, data, (path,))
    try:
        size = json_size(found)
    except ValueError as error:
        raise ExpressionError(str(error), path) from None
    if size > MAX_INPUT_BYTES:
        raise ExpressionError(
            f"the value has {size} bytes of JSON, at most {MAX_INPUT_BYTES} are "
            "allowed: put large data where the scripts can fetch it",
            path,
        )
    return found


def problems_in(value: Any, path: str) -> list[Problem]:
    """Return what can be said against the expressions in a value without data."""
    found = []
    for place, text in _texts(value, (path,)):
        try:
            _compiled(text)
        except ExpressionError as error:
            found.append(Problem(path=path_of(place), message=error.message))
    return found


def reads_of(value: Any) -> Reads:
    """Return what the expressions in a value read; of those that have no problem."""
    roots: set[str] = set()
    named: set[str] = set()
    variables: set[str] = set()
    for _, text in _texts(value, ()):
        for part in _compiled(text).parts:
            if not isinstance(part, str):
                roots |= part[1].roots
                named |= part[1].nodes
                variables |= part[1].variables
    return Reads(frozenset(roots), frozenset(named), frozenset(variables))


def _walk(value: Any, data: Mapping[str, Any], place: tuple[str | int, ...]) -> Any:
    if isinstance(value, dict):
        return {key: _walk(item, data, (*place, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_walk(item, data, (*place, n)) for n, item in enumerate(value)]
    if not isinstance(value, str) or OPENING not in value:
        return value
    try:
        with workflow.unsafe.imports_passed_through():
            return _compiled(value).value(data)
    except ExpressionError as error:
        raise ExpressionError(error.message, path_of(place)) from None
    except TooLargeError:
        message = f"it comes to more than {MAX_INPUT_BYTES} bytes"
    except UndefinedError as error:
        message = _missing(error)
    except ZeroDivisionError:
        message = "division by zero"
    except (TypeError, ValueError, TemplateError, ArithmeticError) as error:
        message = _reason(error)
    except RecursionError:
        message = "nested too deep"
    raise ExpressionError(message, path_of(place))


def _texts(
    value: Any, place: tuple[str | int, ...]
) -> Iterable[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, (*place, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _texts(item, (*place, number))
    elif isinstance(value, str) and OPENING in value:
        yield place, value


@lru_cache(maxsize=CACHED)
def _compiled(text: str) -> _Compiled:
    if len(text) > MAX_EXPRESSION_CHARS:
        raise ExpressionError(
            f"a text with expressions may have {MAX_EXPRESSION_CHARS} characters, "
            f"this one has {len(text)}"
        )
    try:
        # Jinja2 imports parts of itself when they are needed for the first time.
        with workflow.unsafe.imports_passed_through():
            return _Compiled(text)
    except RecursionError:
        raise ExpressionError("nested too deep") from None
    except TemplateError as error:
        raise ExpressionError(f"not an expression: {error.message}") from None


def _parse(text: str) -> list[nodes.Node]:
    body = _ENVIRONMENT.parse(text).body
    parts: list[nodes.Node] = []
    for output in body:
        assert isinstance(output, nodes.Output)
        parts += output.nodes
    return parts


def _check(tree: nodes.Node, depth: int = 0) -> None:
    if depth > MAX_NESTING:
        raise ExpressionError("nested too deep")
    if not isinstance(tree, ALLOWED):
        word = WORDS.get(type(tree), type(tree).__name__)
        raise ExpressionError(f"{word} is not possible in an expression")
    if isinstance(tree, nodes.Filter) and tree.name not in FILTERS:
        known = ", ".join(sorted(FILTERS))
        raise ExpressionError(f"no filter is named {tree.name} (known: {known})")
    if isinstance(tree, nodes.Test) and tree.name not in TESTS:
        known = ", ".join(sorted(TESTS))
        raise ExpressionError(f"no test is named {tree.name} (known: {known})")
    for child in tree.iter_child_nodes():
        _check(child, depth + 1)


def _reads(tree: nodes.Node) -> Reads:
    roots = {name.name for name in _all(tree, nodes.Name)}
    found: dict[str, set[str]] = {"nodes": set(), "variables": set()}
    named = 0
    for access in _all(tree, (nodes.Getattr, nodes.Getitem)):
        owner = access.node
        if not isinstance(owner, nodes.Name) or owner.name not in found:
            continue
        key = access.attr if isinstance(access, nodes.Getattr) else _const(access.arg)
        if not isinstance(key, str):
            raise ExpressionError(
                f"`{owner.name}[…]` needs a name that stands there as a text"
            )
        found[owner.name].add(key)
        named += 1
    if named < sum(1 for name in _all(tree, nodes.Name) if name.name in found):
        raise ExpressionError(
            "`nodes` and `variables` cannot be read as a whole: name one, as in "
            "`nodes.build.output`"
        )
    return Reads(
        frozenset(roots), frozenset(found["nodes"]), frozenset(found["variables"])
    )


def _all(tree: nodes.Node, kinds: Any) -> list[Any]:
    here = [tree] if isinstance(tree, kinds) else []
    return here + list(tree.find_all(kinds))


def _const(node: nodes.Node) -> Any:
    return node.value if isinstance(node, nodes.Const) else None


def _evaluate(template: Any, data: Mapping[str, Any]) -> Any:
    context = template.new_context(dict(data))
    for _ in template.root_render_func(context):
        pass
    value = context.vars["result"]
    if isinstance(value, StrictUndefined):
        str(value)
    return list(value) if isinstance(value, tuple) else value


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _missing(error: UndefinedError) -> str:
    # Jinja2's sentence names what is missing and nothing of what is there.
    message = str(error.message or "").rstrip(".")
    return f"{message}: give it a `| default(…)`, or correct the name"


def _reason(error: Exception) -> str:
    """Return why it failed; Python's own words may hold a value."""
    if isinstance(error, TypeError) and str(error).startswith("`"):
        return str(error)
    return "a value has a type that this filter or operator cannot take"
