"""The page of the contract: each record with its fields, and the JSON schemas."""

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from contracts.events import EventRequest
from contracts.graphs import GraphRequest, GraphResult
from contracts.results import ExecutionResult
from contracts.schedules import ScheduleSpec
from contracts.servers import ServerSpec
from scripts.pages.rest import cell, type_of

MODELS: tuple[type[BaseModel], ...] = (
    EventRequest,
    GraphRequest,
    ScheduleSpec,
    ServerSpec,
    ExecutionResult,
    GraphResult,
)
HEAD = """# Contract

What goes in and what comes out, made from the models. Fields are camelCase on the wire;
a field that is not known is refused. JSON schemas: """


def schemas() -> dict[str, str]:
    """Return the JSON schema of each model, by its name."""
    return {
        model.__name__: json.dumps(model.model_json_schema(), indent=1)
        for model in MODELS
    }


def contract_page() -> str:
    """Return the page."""
    links = ", ".join(f"[{m.__name__}](schemas/{m.__name__}.json)" for m in MODELS)
    lines = [f"{HEAD}{links}.\n"]
    seen: set[str] = set()
    for model in MODELS:
        schema = model.model_json_schema()
        inner = schema.pop("$defs", {})
        classes = _classes(model)
        for name, one in {model.__name__: schema, **inner}.items():
            if name not in seen:
                seen.add(name)
                lines += _record(name, one, classes.get(name))
    return "\n".join(lines) + "\n"


def _classes(model: type[BaseModel]) -> dict[str, type]:
    found: dict[str, type] = {}
    todo: list[Any] = [model]
    while todo:
        one = todo.pop()
        todo += getattr(one, "__args__", ())
        is_model = isinstance(one, type) and issubclass(one, BaseModel)
        if is_model and one.__name__ not in found:
            found[one.__name__] = one
            todo += [field.annotation for field in one.model_fields.values()]
    return found


def _record(name: str, schema: dict[str, Any], model: type | None) -> Iterator[str]:
    yield f"## {name}\n"
    if schema.get("description"):
        yield f"{schema['description']}\n"
    if "enum" in schema:
        yield "One of " + ", ".join(f"`{value}`" for value in schema["enum"]) + ".\n"
    if not schema.get("properties"):
        return
    said = _said(model) if model is not None else {}
    yield "| Field | Type | Default | What it is |\n|---|---|---|---|"
    for field, one in schema["properties"].items():
        default = "required" if field in schema.get("required", ()) else ""
        if "default" in one:
            default = f"`{json.dumps(one['default'])}`"
        what = one.get("description") or said.get(field, "")
        yield f"| `{field}` | {cell(type_of(one))} | {cell(default)} | {cell(what)} |"
    yield ""


def _said(model: type) -> dict[str, str]:
    """Return what the source says below each field, by wire name."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if not (issubclass(base, BaseModel) and base is not BaseModel):
            continue
        tree = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
        assert isinstance(tree, ast.ClassDef)
        for field, after in zip(tree.body, tree.body[1:], strict=False):
            if not (isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr)):
                continue
            if isinstance(field.target, ast.Name) and isinstance(
                after.value, ast.Constant
            ):
                info = base.model_fields.get(field.target.id)
                alias = info.alias if info is not None else None
                found[alias or field.target.id] = str(after.value.value)
    return found
