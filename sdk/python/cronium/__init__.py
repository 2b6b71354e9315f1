"""What a script uses to talk to the executor that runs it.

    region = cronium.input()["region"]           # no import is needed
    cronium.set_variable("LAST_REGION", region)
    cronium.output({"done": True})

`import cronium`, `from cronium import input, output` and a `Cronium()` of one's own
work as well; `AsyncCronium` has the same calls as coroutines. Each name exists in
snake_case and in camelCase. Values are any JSON value and come back with the type they
had.

A call that is refused raises `CroniumAPIError` (`.status_code`, `.message`); one that
is not answered in 30 s raises `CroniumTimeoutError`; both are `CroniumError`. While the
worker is away, calls wait and try again for as long as a run is waited for.

Nothing is imported before the first use, so scripts that do not call us pay nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cronium._aio import AsyncCronium as AsyncCronium
    from cronium._client import Cronium as Cronium
    from cronium._errors import CroniumAPIError as CroniumAPIError
    from cronium._errors import CroniumError as CroniumError
    from cronium._errors import CroniumTimeoutError as CroniumTimeoutError

_HOMES = {
    "Cronium": "_client",
    "AsyncCronium": "_aio",
    "CroniumError": "_errors",
    "CroniumAPIError": "_errors",
    "CroniumTimeoutError": "_errors",
}


def __getattr__(name: str) -> Any:
    if name == "__all__":  # asked for by `from cronium import *` alone
        return [entry for entry in __dir__() if entry[0] != "_"]
    if name.startswith("__") and name != "__version__":
        raise AttributeError(f"module 'cronium' has no attribute {name!r}")
    value = _find(name)
    globals()[name] = value
    return value


def _find(name: str) -> Any:
    from importlib import import_module

    if name in _HOMES:
        return getattr(import_module(f"cronium.{_HOMES[name]}"), name)
    if name == "logger":
        import logging

        return logging.getLogger("cronium")
    client = import_module("cronium._client")
    if name == "__version__":
        return client.VERSION
    if name == "cronium":
        return client.Cronium()
    if name in client.NAMES:
        return getattr(_default(), name)
    import difflib

    near = difflib.get_close_matches(name, client.NAMES, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise AttributeError(f"module 'cronium' has no attribute {name!r}{hint}")


def _default() -> Cronium:
    if "cronium" not in globals():
        __getattr__("cronium")
    found: Cronium = globals()["cronium"]
    return found


def __dir__() -> list[str]:
    from cronium._client import NAMES

    named = (name for name in globals() if name not in ("annotations", "TYPE_CHECKING"))
    return sorted({*named, *_HOMES, *NAMES, "cronium", "logger"})
