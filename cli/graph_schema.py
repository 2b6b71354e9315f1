"""The JSON Schema of workflow files, for editors that complete and check YAML.

It describes what people write: `nodes` as a map or a list, the short forms of `after`,
`edges`, and the names of files that `cli.graph_file` puts in.
"""

from typing import Any

from contracts.graphs import GraphSpec

DIALECT = "https://json-schema.org/draft/2020-12/schema"
NODES = (
    "EventNode", "WaitNode", "ApprovalNode", "MapNode", "SwitchNode", "WorkflowNode",
)  # fmt: skip
FILE = {"type": "string", "minLength": 1}


def graph_schema() -> dict[str, Any]:
    """Return the JSON Schema of a workflow file."""
    schema = GraphSpec.model_json_schema(by_alias=True, mode="validation")
    definitions: dict[str, Any] = schema["$defs"]
    whens = [{"$ref": "#/$defs/EdgeWhen"}, {"$ref": "#/$defs/Edge"}]
    _relax(definitions["Edge"], "node")
    for name in NODES:
        node = definitions[name]
        _relax(node, "id")
        node["properties"]["after"] = _after(whens)
        for part, file in (("event", "eventFile"), ("workflow", "workflowFile")):
            if part in node["properties"]:
                _relax(node, part)
                node["properties"][file] = FILE
    _relax(definitions["EventSpec"], "id", "name")
    definitions["EventSpec"]["properties"]["scriptFile"] = FILE
    graph = definitions.get("GraphSpec", schema)
    _relax(graph, "id", "name")
    node = {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in NODES]}
    graph["properties"]["nodes"] = {
        "anyOf": [
            {"type": "object", "additionalProperties": node, "minProperties": 1},
            {"type": "array", "items": node, "minItems": 1},
        ]
    }
    graph["properties"]["edges"] = {"type": "array", "items": _edge(whens)}
    return {"$schema": DIALECT, "title": "Cronium workflow", **schema}


def _after(whens: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "anyOf": [
            {"type": "string"},
            {"type": "array", "items": {"anyOf": [{"type": "string"}, whens[1]]}},
            {"type": "object", "additionalProperties": {"anyOf": whens}},
        ]
    }


def _edge(whens: list[dict[str, str]]) -> dict[str, Any]:
    ends = {"from": {"type": "string"}, "to": {"type": "string"}}
    return {
        "type": "object",
        "properties": {**ends, "when": whens[0], "case": {"type": "string"}},
        "required": ["from", "to"],
        "additionalProperties": False,
    }


def _relax(definition: dict[str, Any], *names: str) -> None:
    """Take fields that something else fills in out of those that are required."""
    required = [n for n in definition.get("required", []) if n not in names]
    definition["required"] = required
