"""Read a workflow file: a graph, with events, scripts and graphs of other files.

`eventFile`, `scriptFile` and `workflowFile` name files beside the one they stand in;
names of servers are looked up in the inventory. The form in which the app stores
workflows is taken as well, with its events beside it, as `events` by their ids.
"""

import copy
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cli.errors import InvalidRequest, problem_at
from cli.event_file import complete_event, event_of, read_mapping, slug
from cli.targets import resolve
from contracts import limits
from contracts.errors import RequestRefused
from contracts.graph_stored import from_stored, is_stored
from contracts.graphs import GraphRequest, GraphSpec
from contracts.validation import problems_of
from workflows.graphs.check import problems_of_graph

EVENT_FILE = ("eventFile", "event_file")
WORKFLOW_FILE = ("workflowFile", "workflow_file")


def graph_of_file(file: Path, servers: Path | None = None) -> GraphSpec:
    """Return the graph of a file, checked as far as it can be without running it.

    Args:
        file: YAML or JSON.
        servers: The inventory; None is `servers.yaml`, if it is there.

    Raises:
        InvalidRequest: With everything that is wrong.
    """
    return _checked(_read(file, servers, "", 1), f"Correct {file}.")


def graph_of_data(
    data: dict[str, Any], file: Path, servers: Path | None = None
) -> GraphSpec:
    """Return the graph of what was read of a file, checked in the same way.

    Raises:
        InvalidRequest: With everything that is wrong.
    """
    whole = _named(copy.deepcopy(data), file)
    return _checked(_complete(whole, file, servers, "", 1), "")


def request_of_graph(spec: GraphSpec, **fields: Any) -> GraphRequest:
    """Return the order to run a graph.

    Raises:
        InvalidRequest: Input or reuse do not fit, or all of it is too large.
    """
    try:
        request = GraphRequest(workflow=spec, **fields)
    except ValidationError as error:
        raise InvalidRequest(problems_of(error, GraphRequest)) from None
    size = len(request.model_dump_json().encode())
    if size > limits.MAX_REQUEST_BYTES:
        raise problem_at(
            "",
            f"the workflow, its events and the input have {size} bytes together, at "
            f"most {limits.MAX_REQUEST_BYTES} are possible",
            hint="Put large data where the scripts can fetch it.",
        )
    return request


def _checked(data: dict[str, Any], hint: str) -> GraphSpec:
    try:
        spec = GraphSpec.model_validate(data)
    except ValidationError as error:
        raise InvalidRequest(problems_of(error, GraphSpec), hint=hint) from None
    problems = problems_of_graph(spec)
    if problems:
        raise InvalidRequest(problems, hint=hint)
    return spec


def _named(data: dict[str, Any], file: Path) -> dict[str, Any]:
    data.setdefault("id", slug(file.stem))
    data.setdefault("name", file.stem[: limits.MAX_NAME_LENGTH])
    return data


def _read(file: Path, servers: Path | None, path: str, depth: int) -> dict[str, Any]:
    if depth > limits.MAX_GRAPH_DEPTH:
        raise problem_at(
            path or "nodes",
            f"workflow files are more than {limits.MAX_GRAPH_DEPTH} deep inside each "
            f"other (the last is {file.name}): perhaps in a circle",
        )
    data = _named(read_mapping(file, path or "workflow"), file)
    return _complete(data, file, servers, f"{path}." if path else "", depth)


def _complete(
    data: dict[str, Any], file: Path, servers: Path | None, path: str, depth: int
) -> dict[str, Any]:
    events = data.get("events")
    if isinstance(events, list):
        events = {str(_id(event)): event for event in events}
    if isinstance(events, dict):
        # YAML makes numbers of what looks like one, the app's ids among them.
        data["events"] = {
            str(name): _event(event, file, servers, f"{path}events.{name}")
            for name, event in events.items()
        }
    if is_stored(data):
        try:
            data = from_stored(data, data.get("events") or {})
        except RequestRefused as error:
            raise problem_at("", str(error), hint=error.user_hint) from None
    nodes = data.get("nodes")
    if isinstance(nodes, dict):
        data["nodes"] = {
            name: _node(node, file, servers, f"{path}nodes.{name}", depth)
            for name, node in nodes.items()
        }
    elif isinstance(nodes, list):
        data["nodes"] = [
            _node(node, file, servers, f"{path}nodes[{index}]", depth)
            for index, node in enumerate(nodes)
        ]
    return data


def _node(node: Any, file: Path, servers: Path | None, path: str, depth: int) -> Any:
    if not isinstance(node, dict):
        return node
    for name in EVENT_FILE:
        if name in node:
            event = event_of(_beside(file, node.pop(name), f"{path}.eventFile"), path)
            node["event"] = _resolved(event, servers, f"{path}.event")
    for name in WORKFLOW_FILE:
        if name in node:
            inner = _beside(file, node.pop(name), f"{path}.workflowFile")
            node["workflow"] = _read(inner, servers, f"{path}.workflow", depth + 1)
    if isinstance(node.get("event"), dict):
        node["event"] = _event(node["event"], file, servers, f"{path}.event")
    if isinstance(node.get("workflow"), dict):
        inner_path = f"{path}.workflow."
        node["workflow"] = _complete(
            node["workflow"], file, servers, inner_path, depth + 1
        )
    return node


def _event(event: Any, file: Path, servers: Path | None, path: str) -> Any:
    if not isinstance(event, dict):
        return event
    if "eventFile" in event:
        event = event_of(_beside(file, event["eventFile"], f"{path}.eventFile"), path)
    else:
        complete_event(event, file, path, 0)
    return _resolved(event, servers, path)


def _resolved(event: dict[str, Any], servers: Path | None, path: str) -> dict[str, Any]:
    resolve(event, (), servers, path)
    return event


def _beside(file: Path, name: Any, path: str) -> Path:
    if not isinstance(name, str) or not name:
        raise problem_at(path, "expected the name of a file")
    return file.parent / name


def _id(event: Any) -> Any:
    return event.get("id", "") if isinstance(event, dict) else ""
