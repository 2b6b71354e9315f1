"""Write what the TypeScript client is generated from: schemas, names, errors.

`clients/typescript/contracts.json` holds the JSON Schema of every word that crosses the
border, the names that both sides must agree on, and the tree of errors.
`npm run generate` in that directory makes TypeScript of it. Both results are kept in
the repository; `tests/typescript/test_generated.py` fails when one is not up to date.
"""

import ast
import importlib
import inspect
import json
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

import contracts
from contracts import graph_parts, graph_results, graphs, limits, logs, names, results
from contracts.errors import CroniumError
from contracts.events import EventRequest
from contracts.schedules import ScheduleSpec
from gateway import models, tokens

# Whatever is imported has its errors in the tree: all of them, in any order.
for found in pkgutil.iter_modules(contracts.__path__, "contracts."):
    importlib.import_module(found.name)

SERVED = "gateway.errors"
FILE = Path(__file__).parents[1] / "clients" / "typescript" / "contracts.json"
REQUESTS: list[type[BaseModel]] = [
    EventRequest,
    graphs.GraphRequest,
    graph_parts.Decision,
    graph_parts.NodeOrder,
    graph_parts.RerunOrder,
    graph_parts.Steering,
    ScheduleSpec,
]
"""What clients send."""
ANSWERS: list[type[BaseModel]] = [
    results.ExecutionResult,
    graph_results.GraphResult,
    logs.ViewerLines,
    logs.ViewerStatus,
    logs.ViewerEnd,
    logs.ViewerCutOff,
    models.ErrorAnswer,
    models.ExecutionDetail,
    models.ExecutionPage,
    models.LogPage,
]
"""What clients get."""
NAMES = (
    "ATTRIBUTE_EVENT",
    "ATTRIBUTE_STATUS",
    "ATTRIBUTE_USER",
    "EVENT_WORKFLOW",
    "GRAPH_WORKFLOW",
    "ID_PATTERN",
    "LOCAL_TARGET",
    "PAYLOAD_ERROR_TYPE",
    "TASK_QUEUE",
)
LIMITS = ("MAX_JSON_DEPTH", "MAX_REQUEST_BYTES", "MAX_TIMEOUT_SECONDS")


class _Schema(GenerateJsonSchema):
    """An answer always has all its fields, whatever their defaults are."""

    def field_is_required(self, field: Any, total: bool) -> bool:
        """See base class."""
        return self.mode == "serialization" or super().field_is_required(field, total)


def everything() -> dict[str, Any]:
    """Return everything a client in another language has to know."""
    return {
        "schema": {"$defs": _definitions()},
        "requests": sorted(_closure(REQUESTS)),
        "names": {name: getattr(names, name) for name in NAMES}
        | {name: getattr(limits, name) for name in LIMITS}
        | {"TOKEN_AUDIENCE": tokens.AUDIENCE},
        "errors": list(_errors(CroniumError)),
    }


def text() -> str:
    """Return the file as it should be."""
    return json.dumps(everything(), indent=1, ensure_ascii=False) + "\n"


def _definitions() -> dict[str, Any]:
    modes: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        *((model, "validation") for model in REQUESTS),
        *((model, "serialization") for model in ANSWERS),
    ]
    _, schema = models_json_schema(modes, by_alias=True, schema_generator=_Schema)
    found: dict[str, Any] = schema["$defs"]
    texts = _docstrings([*REQUESTS, *ANSWERS])
    for name, definition in found.items():
        _tidy(definition)
        for field, value in definition.get("properties", {}).items():
            if text := texts.get((name, field)):
                value["description"] = text
    _name_tags(found, found)
    for union in list(_unions(found)):
        for kind, target in union["mapping"].items():
            if kind != union.get("fallback"):
                member = found[target.rpartition("/")[2]]
                tag = union["propertyName"]
                member["required"] = sorted({*member.get("required", []), tag})
    return dict(sorted(found.items()))


def _closure(models_: list[type[BaseModel]]) -> set[str]:
    """Return the names of models and of all that they consist of."""
    _, schema = models_json_schema([(model, "validation") for model in models_])
    return set(schema["$defs"])


def _tidy(node: Any) -> None:
    """Take the titles out: they only repeat names."""
    if isinstance(node, dict):
        if isinstance(node.get("title"), str):
            del node["title"]
        for value in node.values():
            _tidy(value)
    elif isinstance(node, list):
        for value in node:
            _tidy(value)


def _name_tags(node: Any, found: dict[str, Any]) -> None:
    """Say how forms are told apart where a function does it: by `kind`.

    Of nodes it may be left out, and then the first form is meant.
    """
    if isinstance(node, list):
        for value in node:
            _name_tags(value, found)
    elif isinstance(node, dict):
        forms = [form.get("$ref", "") for form in node.get("oneOf", [])]
        if forms and all(forms) and "discriminator" not in node:
            kinds = [_kind_of(found[form.rpartition("/")[2]]) for form in forms]
            node["discriminator"] = {
                "propertyName": "kind",
                "mapping": dict(zip(kinds, forms, strict=True)),
                "fallback": kinds[0],
            }
        for value in node.values():
            _name_tags(value, found)


def _kind_of(definition: dict[str, Any]) -> str:
    return str(definition["properties"]["kind"]["const"])


def _unions(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if isinstance(node.get("discriminator"), dict):
            yield node["discriminator"]
        for value in node.values():
            yield from _unions(value)
    elif isinstance(node, list):
        for value in node:
            yield from _unions(value)


def _docstrings(roots: list[type[BaseModel]]) -> dict[tuple[str, str], str]:
    """Return the texts that stand below fields, by model and name on the wire."""
    modules = {sys.modules[kind.__module__] for kind in _heirs(BaseModel)}
    ours = [m for m in modules if m.__name__.split(".")[0] in ("contracts", "gateway")]
    found: dict[tuple[str, str], str] = {}
    for module in ours:
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.ClassDef):
                kind = getattr(module, node.name, None)
                if isinstance(kind, type) and issubclass(kind, BaseModel):
                    for heir in (kind, *_heirs(kind)):
                        for field, said in _fields(node):
                            alias = heir.model_fields[field].alias or field
                            found.setdefault((heir.__name__, alias), said)
    return found


def _fields(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, below in zip(node.body, node.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
            and isinstance(below.value.value, str)
        ):
            yield field.target.id, inspect.cleandoc(below.value.value)


def _heirs(kind: type[Any]) -> Iterator[type[Any]]:
    for heir in kind.__subclasses__():
        yield heir
        yield from _heirs(heir)


def _errors(kind: type[CroniumError]) -> Iterator[dict[str, Any]]:
    """Return the tree of errors, each after the one it is derived from."""
    for heir in sorted(kind.__subclasses__(), key=lambda each: each.__name__):
        # Those of one process of ours never reach a client, nor does what senders of
        # webhooks are told.
        if heir.__module__.startswith("contracts.") or heir.__module__ == SERVED:
            yield {
                "type": heir.__name__,
                "parent": kind.__name__,
                "says": (heir.__doc__ or "").strip().splitlines()[0],
                "hint": heir.hint,
                "retryable": heir.retryable,
            }
            yield from _errors(heir)


def main() -> None:
    """Write the file, or, with an argument, write it there."""
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else FILE
    file.write_text(text())


if __name__ == "__main__":
    main()
