"""From method and path to a call, without ever tidying a path.

Dots are not resolved and slashes not joined, so there is no second way to write a
path: what is not exactly one of ours does not exist.
"""

from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from engines.channel.refusals import CallRefusedError, bad_request

TOOL_ACTION = "tool-action"
# (method, last part) of /executions/{id}/{last part}
_PLAIN = {
    ("GET", "input"),
    ("POST", "output"),
    ("GET", "variables"),
    ("GET", "condition"),
    ("POST", "condition"),
    ("GET", "context"),
    ("POST", "logs"),
    ("POST", "progress"),
}
_OF_A_VARIABLE = {("GET", ""), ("PUT", ""), ("DELETE", "")}
_OF_A_VARIABLE |= {("POST", "increment"), ("POST", "append")}


@dataclass(frozen=True, slots=True)
class Route:
    """One call that exists."""

    name: str
    """Such as `GET input` or `POST variable/increment`."""
    execution_id: str | None = None
    """Whose, as the path says; None where the path does not say it."""
    key: str = ""
    """Of a variable."""


def find_route(method: str, raw_path: bytes) -> Route:
    """Return the call that a request means.

    Raises:
        CallRefusedError: 404 when there is no such call, 400 for a broken path.
    """
    parts = [_decoded(part) for part in raw_path.split(b"/")]
    match parts:
        case ["", "executions", execution, part] if (method, part) in _PLAIN:
            return Route(f"{method} {part}", execution)
        case ["", "executions", execution, "variables", key]:
            if (method, "") in _OF_A_VARIABLE:
                return Route(f"{method} variable", execution, key)
        case ["", "executions", execution, "variables", key, act]:
            if (method, act) in _OF_A_VARIABLE:
                return Route(f"{method} variable/{act}", execution, key)
        case ["", "tool-actions", "execute"] if method == "POST":
            return Route(TOOL_ACTION)
    raise CallRefusedError(
        404, "not_found", "there is no such call; check its method and path"
    )


def _decoded(part: bytes) -> str:
    try:
        return unquote_to_bytes(part).decode("utf-8")
    except UnicodeDecodeError:
        raise bad_request("the path is not valid UTF-8 when it is decoded") from None
