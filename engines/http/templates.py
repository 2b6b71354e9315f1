"""`{{ }}` expressions in the fields of a request: data in, text out, and nothing else.

An expression is a path into the data (`input.items[0].id`), optionally through filters
(`| default("x") | tojson`). There are no calls, loops, arithmetic or attributes of
Python objects: whoever may write an event must not be able to run code in the worker,
nor to keep it busy. `{{ secrets.NAME }}` is a secret; its name stands in the event, so
that no input can choose another one. Line ends of a template become "\\n".
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2.exceptions import TemplateSyntaxError, UndefinedError
from jinja2.sandbox import SandboxedEnvironment

from contracts.errors import HttpRequestInvalid

# More filters in a row than this can only make a value explode (tojson doubles quotes).
MAX_FILTERS = 4
MAX_NESTING = 20
OPENING = "{{"
# Never in a field, since contract and JSON have no NUL: only `{{ }}` is syntax.
NEVER = "\0"


class Raw(str):
    """A value that is put into a URL as it is."""


class Secrets:
    """Resolves names and remembers the values, so that they can be masked.

    Args:
        resolve: Returns the value of a secret; raises `SecretUnavailable`.
    """

    def __init__(self, resolve: Callable[[str], str]) -> None:
        self._resolve = resolve
        self.values: list[str] = []

    def get(self, name: str) -> str:
        """Return the value of a secret."""
        value = self._resolve(name)
        self.values.append(value)
        return value


def as_text(value: Any) -> Any:
    """Return a JSON value as it stands in text; what is missing stays missing."""
    if isinstance(value, str | StrictUndefined):
        return value
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def as_url_part(value: Any) -> Any:
    """Return a JSON value percent-encoded, so that it cannot leave its place."""
    if isinstance(value, Raw | StrictUndefined):
        return value
    return quote(as_text(value), safe="")


def _given(value: Any) -> Any:
    # A filter must not take what is missing for an empty value.
    if isinstance(value, StrictUndefined):
        str(value)
    return value


def _default(value: Any, other: Any = "") -> Any:
    return other if value is None or isinstance(value, StrictUndefined) else value


FILTERS: dict[str, Callable[..., Any]] = {
    "default": _default,
    "tojson": lambda value: json.dumps(_given(value), ensure_ascii=False),
    "urlencode": lambda value: quote(as_text(_given(value)), safe=""),
    "lower": lambda value: as_text(_given(value)).lower(),
    "upper": lambda value: as_text(_given(value)).upper(),
    "trim": lambda value: as_text(_given(value)).strip(),
    "raw": lambda value: Raw(as_text(_given(value))),
}


class _DataEnvironment(SandboxedEnvironment):
    """Looks up keys and indexes of JSON data; Python's attributes do not exist."""

    def __init__(self, finalize: Callable[[Any], Any]) -> None:
        super().__init__(
            block_start_string=NEVER + "{%",
            block_end_string="%}" + NEVER,
            comment_start_string=NEVER + "{#",
            comment_end_string="#}" + NEVER,
            undefined=StrictUndefined,
            finalize=finalize,
            keep_trailing_newline=True,
            # A template is used once: nothing is kept of it.
            cache_size=0,
        )
        self.filters = dict(FILTERS)
        self.globals = {}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Take `a.b` as `a["b"]`."""
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return what is there, else something that says its name when it is used."""
        if isinstance(obj, StrictUndefined):
            return obj
        if isinstance(obj, Secrets):
            return obj.get(str(argument))
        try:
            if isinstance(obj, Mapping) or (
                isinstance(obj, list) and isinstance(argument, int)
            ):
                return obj[argument]
        except (KeyError, IndexError, TypeError):
            pass
        return self.undefined(name=str(argument))


class Templates:
    """Renders the fields of one request.

    Args:
        data: What expressions may read: `input`, `event`.
        secrets: Where `{{ secrets.NAME }}` comes from.
    """

    def __init__(self, data: Mapping[str, Any], secrets: Secrets) -> None:
        self._context = {**data, "secrets": secrets}
        self._text = _DataEnvironment(as_text)
        self._url = _DataEnvironment(as_url_part)

    def text(self, field: str, source: str, limit: int) -> str:
        """Return a field with its expressions replaced.

        Args:
            field: Its path, for errors.
            source: The template.
            limit: How many characters the result may have.

        Raises:
            HttpRequestInvalid: An expression is not one, or reads what is not there.
        """
        return self._render(self._text, field, source, limit)

    def url(self, field: str, source: str, limit: int) -> str:
        """Return a URL with its expressions replaced by percent-encoded values."""
        url = self._render(self._url, field, source, limit)
        if OPENING in source and _climbs(url):
            raise HttpRequestInvalid(
                f"{field}: the path has a segment of dots alone, which would lead "
                "elsewhere"
            )
        return url

    def value(self, field: str, source: str, limit: int) -> Any:
        """Return a JSON string; one that is a single expression keeps its type."""
        if OPENING not in source:
            return source
        tree = self._parse(self._text, field, source)
        if not _is_one_expression(tree):
            return self.text(field, source, limit)
        inner = source.strip().removeprefix("{{").removesuffix("}}").strip("-+ \t\r\n")
        with _explained(field):
            expression = self._text.compile_expression(inner, undefined_to_none=False)
            return _given(expression(**self._context))

    def _render(
        self, environment: _DataEnvironment, field: str, source: str, limit: int
    ) -> str:
        if OPENING not in source:
            return source
        self._parse(environment, field, source)
        pieces: list[str] = []
        with _explained(field):
            template = environment.from_string(source)
            for piece in template.generate(self._context):
                pieces.append(piece)
                limit -= len(piece)
                if limit < 0:
                    raise HttpRequestInvalid(
                        f"{field}: longer than allowed with its values put in"
                    )
        return "".join(pieces)

    def _parse(
        self, environment: _DataEnvironment, field: str, source: str
    ) -> nodes.Template:
        with _explained(field):
            tree = environment.parse(source)
        for problem in _forbidden(tree):
            raise HttpRequestInvalid(f"{field}: {problem}")
        return tree


class _explained:
    """Turns what Jinja says into errors of ours, which name the field."""

    def __init__(self, field: str) -> None:
        self._field = field

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, UndefinedError):
            # "'x' is undefined": the name is the template's, never a value.
            name = str(error.message or "").removesuffix(" is undefined")
            raise HttpRequestInvalid(f"{self._field}: there is no {name}") from None
        if isinstance(error, TemplateSyntaxError):
            raise HttpRequestInvalid(
                f"{self._field}: line {error.lineno}: {_syntax_problem(error)}"
            ) from None
        if isinstance(
            error, TemplateError | ValueError | TypeError | RecursionError | SyntaxError
        ):
            raise HttpRequestInvalid(
                f"{self._field}: the template cannot be used here"
            ) from None


def _syntax_problem(error: TemplateSyntaxError) -> str:
    known = ", ".join(sorted(FILTERS))
    if "No filter named" in (error.message or ""):
        return f"there is no such filter; known: {known}"
    return "this is not an expression; expected {{ input.name }}"


def _is_one_expression(tree: nodes.Template) -> bool:
    if len(tree.body) != 1 or not isinstance(tree.body[0], nodes.Output):
        return False
    found = tree.body[0].nodes
    return len(found) == 1 and not isinstance(found[0], nodes.TemplateData)


def _forbidden(tree: nodes.Template) -> Iterator[str]:
    for statement in tree.body:
        if not isinstance(statement, nodes.Output):
            yield "only {{ }} expressions are read"
            continue
        for node in statement.nodes:
            if not isinstance(node, nodes.TemplateData):
                yield from _forbidden_in(node, MAX_FILTERS, MAX_NESTING)


def _forbidden_in(node: nodes.Node, filters: int, depth: int) -> Iterator[str]:
    if depth == 0:
        yield "an expression is nested too deeply"
    elif isinstance(node, nodes.Filter):
        if filters == 0:
            yield f"more than {MAX_FILTERS} filters in a row"
            return
        if node.kwargs or node.dyn_args or node.dyn_kwargs:
            yield "a filter takes plain values"
        children = [node.node, *node.args] if node.node is not None else node.args
        for child in children:
            yield from _forbidden_in(child, filters - 1, depth - 1)
    elif isinstance(node, nodes.Getattr | nodes.Getitem):
        yield from _forbidden_lookup(node, filters, depth)
    elif isinstance(node, nodes.Neg):
        if not (isinstance(node.node, nodes.Const) and type(node.node.value) is int):
            yield "an expression has no arithmetic"
    elif isinstance(node, nodes.Name):
        if node.name == "secrets":
            yield "a secret is written as {{ secrets.NAME }}"
    elif not isinstance(node, nodes.Const):
        yield "an expression is a path such as input.name, with filters; no more"


def _forbidden_lookup(
    node: nodes.Getattr | nodes.Getitem, filters: int, depth: int
) -> Iterator[str]:
    is_secret = isinstance(node.node, nodes.Name) and node.node.name == "secrets"
    if isinstance(node, nodes.Getitem):
        constant = isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str)
        if is_secret and not constant:
            yield "the name of a secret stands in the template: {{ secrets.NAME }}"
        if not isinstance(node.arg, nodes.Slice):
            yield from _forbidden_in(node.arg, filters, depth - 1)
        else:
            yield "an expression has no slices"
    if not is_secret:
        yield from _forbidden_in(node.node, filters, depth - 1)


def _climbs(url: str) -> bool:
    segments = urlsplit(url).path.lower().replace("%2e", ".").split("/")
    return any(segment in (".", "..") for segment in segments)
