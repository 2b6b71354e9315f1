"""Read what `cronium run` is given: an event file, a bare script, or code.

An event file may name others: its script, and the events that its actions start.

Everything is checked here, before anything is started; each problem is said with the
path of its field.
"""

import copy
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from cli.errors import InvalidRequest, problem_at
from cli.targets import resolve
from contracts import limits
from contracts.events import EventRequest, EventSpec
from contracts.validation import problems_of

EVENT_SUFFIXES = frozenset({".yaml", ".yml", ".json"})
TYPE_OF_SUFFIX = {
    ".sh": "bash",
    ".bash": "bash",
    ".py": "python",
    ".js": "nodejs",
    ".mjs": "nodejs",
    ".cjs": "nodejs",
}
# Room for the largest script, written in YAML with escapes.
MAX_FILE_BYTES = 4 * limits.MAX_SCRIPT_BYTES
SCRIPT_FILE = ("scriptFile", "script_file")
EVENT_FILE = ("eventFile", "event_file")


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What was given on the command line besides the file; None is not given."""

    type: str | None = None
    name: str | None = None
    input: str | None = None
    env: Sequence[str] = ()
    secret_env: Sequence[str] = ()
    timeout: float | None = None
    retries: int | None = None
    network: str | None = None
    image: str | None = None
    targets: Sequence[str] = ()
    servers: Path | None = None
    """The inventory; None is `servers.yaml`, if it is there."""


def request_of_file(file: Path, options: RunOptions, execution_id: str) -> EventRequest:
    """Return the request for an event file or a bare script.

    Raises:
        InvalidRequest: With everything that is wrong.
    """
    return _request(event_of(file, "event", options.type), options, execution_id)


def request_of_code(code: str, options: RunOptions, execution_id: str) -> EventRequest:
    """Return the request for a script given as text.

    Raises:
        InvalidRequest: With everything that is wrong.
    """
    event = {"id": "inline", "name": "inline", "type": "bash", "script": code}
    return _request(event, options, execution_id)


def event_fields(event: dict[str, Any], file: Path) -> dict[str, Any]:
    """Return the fields of an event, with the files that it names put in.

    Args:
        event: As it was read.
        file: Where it stands; the others are beside it.

    Raises:
        InvalidRequest: A file cannot be read; paths begin with `event`.
    """
    whole = copy.deepcopy(event)
    complete_event(whole, file, "event", 0)
    return whole


def slug(text: str) -> str:
    """Return text as an id: letters, digits, dots, dashes and underscores."""
    words = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")
    return words[: limits.MAX_ID_LENGTH] or "event"


def read_input(text: str | None) -> Any:
    """Return the value of `--input`: JSON, or `@FILE` with JSON in it.

    Raises:
        InvalidRequest: It is not JSON, or the file cannot be read.
    """
    if text is None:
        return None
    if text.startswith("@"):
        text = read_text(Path(text[1:]), "input", limits.MAX_INPUT_BYTES)
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise problem_at("input", "nested too deep") from None
    except ValueError as error:
        where = (
            f" (line {error.lineno}, column {error.colno})"
            if isinstance(error, json.JSONDecodeError)
            else ""
        )
        raise problem_at(
            "input",
            f"not valid JSON{where}",
            hint="""Quote it for the shell: --input '{"name": "value"}'""",
        ) from None


def _request(
    event: dict[str, Any], options: RunOptions, execution_id: str
) -> EventRequest:
    _apply(event, options)
    resolve(event, options.targets, options.servers)
    value = read_input(options.input)
    data = {"executionId": execution_id, "event": event, "input": value}
    try:
        request = EventRequest.model_validate(data)
    except ValidationError as error:
        raise InvalidRequest(problems_of(error, EventRequest)) from None
    if len(request.model_dump_json().encode()) > limits.MAX_REQUEST_BYTES:
        raise problem_at(
            "",
            "script, input, env and targets are more than "
            f"{limits.MAX_REQUEST_BYTES} bytes",
        )
    return request


def _apply(event: dict[str, Any], options: RunOptions) -> None:
    given = {
        "type": options.type,
        "name": options.name,
        "timeout_seconds": options.timeout,
        "retries": options.retries,
        "network": options.network,
        "image": options.image,
    }
    for name, value in given.items():
        if value is not None:
            alias = EventSpec.model_fields[name].alias or name
            event.pop(name, None)
            event[alias] = value
    if "env" in event:
        event["env"] = _env_list(event["env"])
    more = [_plain_variable(text) for text in options.env]
    more += [_secret_variable(text) for text in options.secret_env]
    if more:
        names = {variable["name"] for variable in more}
        kept = [
            variable
            for variable in event.get("env", [])
            if not isinstance(variable, dict) or variable.get("name") not in names
        ]
        event["env"] = kept + more


def _env_list(env: Any) -> Any:
    """Return `env` in the contract's form; files may have a mapping instead."""
    if isinstance(env, dict):
        env = [
            {"name": str(name), **(value if isinstance(value, dict) else _value(value))}
            for name, value in env.items()
        ]
    if not isinstance(env, list):
        return env
    return [
        {**item, **_value(item["value"])}
        if isinstance(item, dict) and "value" in item
        else item
        for item in env
    ]


def _value(value: Any) -> dict[str, Any]:
    # YAML makes 1 and true of what was meant as text; variables are always text.
    if isinstance(value, bool):
        value = str(value).lower()
    elif isinstance(value, int | float):
        value = str(value)
    return {"value": "" if value is None else value}


def _plain_variable(text: str) -> dict[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise problem_at("--env", "expected NAME=VALUE")
    return {"name": name, "value": value}


def _secret_variable(text: str) -> dict[str, str]:
    name, equals, secret = text.partition("=")
    if not name or (equals and not secret):
        raise problem_at("--secret-env", "expected NAME or NAME=SECRET")
    return {"name": name, "secret": secret or name}


def event_of(
    file: Path, path: str, kind: str | None = None, depth: int = 0
) -> dict[str, Any]:
    """Return the event of a file, with the files that it names put in.

    Args:
        file: Event or script.
        path: Where in the request the event stands.
        kind: Type of a script.
        depth: How many events start each other before it.
    """
    if file.suffix.lower() in EVENT_SUFFIXES:
        event = read_mapping(file, path)
        complete_event(event, file, path, depth)
    else:
        place = f"{path}.script" if depth else "script"
        script = read_text(file, place, limits.MAX_SCRIPT_BYTES)
        event = {"type": kind or _type_of(file, script), "script": script}
    event.setdefault("id", slug(file.stem))
    event.setdefault("name", file.stem[: limits.MAX_NAME_LENGTH])
    return event


def complete_event(event: dict[str, Any], file: Path, path: str, depth: int) -> None:
    """Put in what stands in other files, beside this one."""
    given = [name for name in SCRIPT_FILE if name in event]
    if given:
        if "script" in event:
            raise problem_at(path, "give either `script` or `scriptFile`")
        event["script"] = _script_beside(file, event.pop(given[0]), path)
    if "env" in event:
        event["env"] = _env_list(event["env"])
    actions = event.get("actions")
    for index, action in enumerate(actions if isinstance(actions, list) else []):
        if isinstance(action, dict):
            _complete_action(action, file, f"{path}.actions[{index}]", depth + 1)


def _complete_action(action: dict[str, Any], file: Path, path: str, depth: int) -> None:
    given = [name for name in EVENT_FILE if name in action]
    if given:
        name = action.pop(given[0])
        if "event" in action:
            raise problem_at(path, "give either `event` or `eventFile`")
        if not isinstance(name, str) or not name:
            raise problem_at(f"{path}.eventFile", "expected the name of a file")
        if depth > limits.MAX_ACTION_NESTING:
            raise problem_at(
                "event.actions",
                f"event files start each other more than {limits.MAX_ACTION_NESTING} "
                f"deep (the last is {name}): perhaps in a circle",
            )
        action["event"] = event_of(file.parent / name, f"{path}.event", depth=depth)
    elif isinstance(action.get("event"), dict):
        complete_event(action["event"], file, f"{path}.event", depth)


def read_mapping(file: Path, path: str) -> dict[str, Any]:
    text = read_text(file, path, MAX_FILE_BYTES)
    try:
        # Every JSON text is YAML, but for tabs; the JSON parser also is far quicker.
        is_json = file.suffix.lower() == ".json"
        event = json.loads(text) if is_json else yaml.safe_load(text)
    except RecursionError:
        raise problem_at(path, "nested too deep") from None
    except (yaml.YAMLError, ValueError) as error:
        raise problem_at(path, f"{file}{_place(error)}") from None
    if not isinstance(event, dict) or not all(isinstance(key, str) for key in event):
        raise problem_at(path, f"{file} must have fields such as `type` and `script`")
    return event


def _script_beside(file: Path, name: Any, path: str) -> str:
    if not isinstance(name, str) or not name:
        raise problem_at(f"{path}.scriptFile", "expected the name of a file")
    return read_text(file.parent / name, f"{path}.scriptFile", limits.MAX_SCRIPT_BYTES)


def _place(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f":{error.lineno}:{error.colno}: not valid JSON"
    mark = getattr(error, "problem_mark", None)
    where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
    return f"{where}: {getattr(error, 'problem', None) or 'not valid YAML'}"


def read_text(file: Path, path: str, most: int) -> str:
    """Return a file's text; too large or binary ones are refused."""
    try:
        with file.open("rb") as stream:
            data = stream.read(most + 1)
    except OSError as error:
        raise problem_at(path, f"cannot read {file}: {error.strerror}") from None
    except ValueError:
        raise problem_at(path, "a file name cannot hold a NUL character") from None
    if len(data) > most:
        raise problem_at(path, f"{file} has more than {most} bytes")
    try:
        if b"\0" not in data:
            return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    raise problem_at(path, f"{file} is not text in UTF-8, but binary")


def _type_of(file: Path, script: str) -> str:
    by_suffix = TYPE_OF_SUFFIX.get(file.suffix.lower())
    if by_suffix:
        return by_suffix
    first = script.partition("\n")[0]
    if first.startswith("#!"):
        for word, found in (("python", "python"), ("node", "nodejs"), ("sh", "bash")):
            if word in first:
                return found
    raise problem_at(
        "event.type",
        f"cannot tell the language of {file.name}",
        hint="Give --type bash, python or nodejs, or begin the file with `#!`.",
    )


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
