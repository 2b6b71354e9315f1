"""Turn a failed validation into problems a person can act on, without the input."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from contracts.base import WireModel
from contracts.errors import RequestRefused
from contracts.wire_text import LONE_SURROGATE, MisplacedValue

Model = TypeVar("Model", bound=BaseModel)


class Problem(WireModel):
    """One thing that is wrong with a request."""

    path: str
    """Where, in wire names: `event.env[3].name`; "" is the whole request."""
    message: str
    """What is wrong and what was expected; never the value."""


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Return what is wrong, in the order of the fields."""
    return [_problem(item, model) for item in error.errors(include_url=False)]


def sentence(problems: Sequence[Problem]) -> str:
    """Return the problems as one line for a message."""
    return "; ".join(
        f"{problem.path}: {problem.message}" if problem.path else problem.message
        for problem in problems
    )


def build(model: type[Model], **fields: Any) -> Model:
    """Return a record of these fields.

    Raises:
        RequestRefused: They do not fit; the message names each of them.
    """
    try:
        return model(**fields)
    except ValidationError as error:
        raise RequestRefused(sentence(problems_of(error, model))) from None


def path_of(location: Sequence[str | int]) -> str:
    """Return a location as a path: `("env", 3, "name")` gives `env[3].name`."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{part}" if path else part
    return path


def _problem(item: Mapping[str, Any], model: type[BaseModel]) -> Problem:
    # Which form of a union was meant is no part of a path: those are in brackets.
    location = tuple(part for part in item["loc"] if not str(part).startswith("<"))
    if location and (field := model.model_fields.get(str(location[0]))):
        # Of a field that was left out pydantic gives the name in Python.
        location = (field.alias or location[0], *location[1:])
    message = str(item["msg"]).removeprefix("Value error, ")
    cause = item.get("ctx", {}).get("error")
    if isinstance(cause, MisplacedValue):
        location += cause.place
    elif item["type"] == "string_unicode":
        message = f"a text or the name of a field has {LONE_SURROGATE}"
    elif item["type"] == "extra_forbidden":
        message = "unknown field" + _did_you_mean(location, model)
    elif item["type"] == "missing":
        message = "required, but missing"
    return Problem(path=path_of(location), message=message)


def _did_you_mean(location: tuple[str | int, ...], model: type[BaseModel]) -> str:
    owner: type[BaseModel] | None = model
    for part in location[:-1]:
        if owner is None or isinstance(part, int):
            continue
        owner = _model_at(owner, part)
    if owner is None:
        return ""
    known = [field.alias or name for name, field in owner.model_fields.items()]
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    return f" (did you mean {close[0]}?)" if close else f"; known: {', '.join(known)}"


def _model_at(owner: type[BaseModel], part: str) -> type[BaseModel] | None:
    for name, field in owner.model_fields.items():
        if part in (name, field.alias):
            for candidate in (field.annotation, *_flat_args(field.annotation)):
                if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                    return candidate
    return None


def _flat_args(annotation: Any) -> list[Any]:
    found: list[Any] = []
    for argument in get_args(annotation):
        found += [argument, *_flat_args(argument)]
    return found
