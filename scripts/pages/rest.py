"""The page of the gateway's REST API, from its OpenAPI description."""

from collections.abc import Iterator
from typing import Any

from gateway.app import create_app
from gateway.config import GatewayConfig

HEAD = """# REST API

Made from the gateway's OpenAPI description, which a running gateway serves as
`/openapi.json`. Who may call what: [gateway](../gateway.md).
"""


def description() -> dict[str, Any]:
    """Return the OpenAPI description; no gateway is started for it."""
    config = GatewayConfig(
        database_url="sqlite+aiosqlite://", secret="only to describe the interface"
    )
    found: dict[str, Any] = create_app(config).openapi()
    return found


def rest_page() -> str:
    """Return the page."""
    lines = [HEAD]
    for path, methods in description()["paths"].items():
        for method, call in methods.items():
            lines += _call(path, method, call)
    return "\n".join(lines) + "\n"


def _call(path: str, method: str, call: dict[str, Any]) -> Iterator[str]:
    yield f"## `{method.upper()} {path}`\n"
    yield f"{call.get('summary', '')}.\n"
    if call.get("description"):
        yield f"{call['description']}\n"
    if parameters := call.get("parameters"):
        yield "| Parameter | In | Type | What it is |\n|---|---|---|---|"
        for one in parameters:
            required = " (required)" if one.get("required") else ""
            schema = one.get("schema", {})
            what = one.get("description") or schema.get("description", "")
            kind = type_of(schema)
            yield (
                f"| `{one['name']}`{required} | {one['in']} | {kind} | {cell(what)} |"
            )
        yield ""
    body = call.get("requestBody", {}).get("content", {})
    for media, content in body.items():
        yield f"Body: `{media}`, {type_of(content.get('schema', {}))}.\n"
    yield "| Status | What it means |\n|---|---|"
    for status, answer in call.get("responses", {}).items():
        yield f"| {status} | {cell(answer.get('description', ''))} |"
    yield ""


def type_of(schema: dict[str, Any]) -> str:
    """Return the type that a JSON schema allows, in a word or two."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            parts = dict.fromkeys(type_of(part) for part in schema[word])
            return " or ".join(part for part in parts if part != "null") or "null"
    if schema.get("type") == "array":
        return f"list of {type_of(schema.get('items', {}))}"
    kind = schema.get("type", "any")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def cell(text: str) -> str:
    """Return a text as it may stand in a table."""
    return " ".join(text.split()).replace("|", "\\|")
