"""The page of errors: each type, what it means, and what to do about it."""

import inspect
from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

from contracts.errors import CroniumError
from scripts.pages.rest import cell

PACKAGES = ("contracts", "cli", "gateway", "engines", "schedules", "migration")
HEAD = """# Errors

Every error has a `type`, which clients may match on, a `message`, a `hint` and
`retryable`: whether the same may succeed when it is tried again unchanged. This page is
made from the classes. What a script or a request did is told in the
[results of an event](../events.md#results).

| Type | What it means | What to do | Retryable |
|---|---|---|---|
"""


def all_errors() -> list[type[CroniumError]]:
    """Return every class of the tree, by name."""
    for package in PACKAGES:
        found = import_module(package)
        for module in iter_modules(found.__path__, f"{package}."):
            if not module.ispkg:
                import_module(module.name)
    classes = {one.__name__: one for one in _below(CroniumError)}
    return [classes[name] for name in sorted(classes)]


def error_page() -> str:
    """Return the page."""
    return HEAD + "".join(
        f"| `{one.__name__}` | {cell(_meaning(one))} | {cell(one.hint)} | "
        f"{'yes' if one.retryable else 'no'} |\n"
        for one in all_errors()
        if not one.__name__.startswith("_")
    )


def _meaning(error: type[CroniumError]) -> str:
    return (inspect.getdoc(error) or "").partition("\n\n")[0]


def _below(error: type[CroniumError]) -> Iterator[type[CroniumError]]:
    for one in error.__subclasses__():
        yield one
        yield from _below(one)
