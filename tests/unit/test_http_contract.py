"""The contract of a request: forms that are taken, and refusals that echo nothing."""

from typing import Any

import pytest
from pydantic import ValidationError

from contracts.events import EventRequest, EventSpec
from contracts.http import HttpRequestSpec, status_in
from contracts.http_response import HttpResponse
from contracts.validation import problems_of, sentence

PLANTED = "planted-7f3a"


def spec(**http: Any) -> HttpRequestSpec:
    return HttpRequestSpec.model_validate({"url": "http://h/", **http})


def refusal(http: Any) -> dict[str, str]:
    event = {"id": "e", "name": "n", "type": "http_request", "http": http}
    body = {"executionId": "x", "event": event}
    with pytest.raises(ValidationError) as caught:
        EventRequest.model_validate(body)
    problems = problems_of(caught.value, EventRequest)
    assert PLANTED not in str(caught.value) + sentence(problems)
    return {p.path: p.message for p in problems}


def test_a_request_survives_the_wire() -> None:
    made = spec(
        method="post",
        headers=[{"key": "A", "value": "1"}, {"name": "B", "value": {"secret": "S"}}],
        query={"a": [1, True], "b": {"secret": "S"}},
        body={"kind": "multipart", "parts": [{"name": "f", "base64": "aGk="}]},
        auth={"kind": "basic", "username": "u", "password": {"secret": "P"}},
        successStatuses=[200, "2XX", "404-410"],
        maxBodyBytes=10,
    )
    again = HttpRequestSpec.model_validate_json(made.model_dump_json())
    assert again == made
    assert "maxBodyBytes" in made.model_dump_json()
    assert made.success_statuses == ["200", "2xx", "404-410"]
    assert [(p.name, p.value, p.secret) for p in made.query] == [
        ("a", "1", None), ("a", "true", None), ("b", None, "S"),
    ]  # fmt: skip


def test_the_form_the_app_stores_is_taken() -> None:
    stored = spec(
        method="POST", headers=[{"key": "Content-Type", "value": "a/b"}], body="{}"
    )
    assert stored.headers[0].name == "Content-Type"
    assert stored.body is not None
    assert stored.body.kind == "text"
    assert spec(body="").body is None


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"url": "ftp://h/"}, "url", "http:// or https://"),
    ({"url": "h/x"}, "url", "http:// or https://"),
    ({"url": "http:///x"}, "url", "http:// or https://"),
    ({"url": f"http://u:{PLANTED}@h/"}, "url", "use `auth`"),
    ({"url": f"http://h/\r\n{PLANTED}"}, "url", "line breaks"),
    ({"url": "http://h/" + "x" * 9000}, "url", "8192"),
    ({"method": "TRACE"}, "method", "GET"),
    ({"headers": [{"key": "A B", "value": "x"}]}, "headers[0].name", "letters"),
    ({"headers": {"A\r\nB": PLANTED}}, "headers[0].name", "letters"),
    ({"headers": {"A": f"x\r\nB: {PLANTED}"}}, "headers[0].value", "line breaks"),
    ({"headers": {"A": "x\0"}}, "headers[0].value", "control"),
    ({"headers": {"Content-Length": "3"}}, "headers[0].name", "leave it out"),
    ({"headers": {"HOST": "h"}}, "headers[0].name", "host is set"),
    ({"headers": {"transfer-encoding": "x"}}, "headers[0].name", "leave it out"),
    ({"headers": [{"key": "A"}]}, "headers[0]", "either"),
    ({"headers": {"A": {"secret": "not a name"}}}, "headers[0].secret", "pattern"),
    ({"headers": [{"key": "A", "value": "1", "secret": "B"}]}, "headers[0]", "both"),
    ({"headers": {f"A{i}": "1" for i in range(201)}}, "headers", "200"),
    ({"query": {"a": {"x": PLANTED}}}, "query[0].value", "string"),
    ({"headers": {f"A{i}": "x" * 9_000 for i in range(9)}}, "headers", "65536"),
    ({"query": {f"A{i}": "x" * 9_000 for i in range(9)}}, "query", "65536"),
    ({"query": {"a": "x" * 20_000}}, "query[0].value", "16384"),
    ({"body": "x" * (1 << 20)}, "body", "1048576"),
    ({"body": {"kind": "json", "content": "\ud800"}}, "body.json.content", "half of"),
    ({"body": {"kind": "xml"}}, "body", "'json'"),
    ({"body": {"kind": "multipart", "parts": []}}, "body.multipart.parts", "1"),
    (
        {"body": {"kind": "multipart", "parts": [{"name": "a", "base64": "*"}]}},
        "body.multipart.parts[0].base64",
        "base64",
    ),
    (
        {"body": {"kind": "text", "text": "", "contentType": "a/b\r\nX: y"}},
        "body.text.contentType",
        "pattern",
    ),
    (
        {"auth": {"kind": "bearer", "token": ""}, "headers": {"authorization": "x"}},
        "",
        "either `auth` or",
    ),
    ({"auth": {"kind": "digest"}}, "auth", "basic"),
    ({"successStatuses": []}, "successStatuses", "1"),
    ({"successStatuses": ["6xx"]}, "successStatuses[0]", "2xx"),
    ({"successStatuses": ["300-200"]}, "successStatuses[0]", "range"),
    ({"successStatuses": [True]}, "successStatuses[0]", "status"),
    ({"redirects": 21}, "redirects", "20"),
    ({"retryAttempts": 11}, "retryAttempts", "10"),
    ({"maxBodyBytes": 1 << 20}, "maxBodyBytes", "524288"),
    ({"timeouts": {"readSeconds": 0}}, "timeouts.readSeconds", "greater than 0"),
    ({"tls": {"minVersion": "1.1"}}, "tls.minVersion", "1.2"),
    ({"tls": {"verfy": True}}, "tls.verfy", "did you mean verify"),
    ({"redirect": 1}, "redirect", "did you mean redirects"),
]


@pytest.mark.parametrize(("http", "path", "words"), BAD)
def test_what_does_not_fit_is_named_and_not_echoed(
    http: dict[str, Any], path: str, words: str
) -> None:
    found = refusal({"url": "http://h/", **http})
    where = f"event.http.{path}".rstrip(".")
    assert where in found, found
    assert words in found[where]


@pytest.mark.parametrize(
    ("status", "patterns", "expected"),
    [
        (200, ["2xx"], True), (299, ["2xx"], True), (300, ["2xx"], False),
        (404, ["404"], True), (203, ["200-204"], True), (205, ["200-204"], False),
        (500, [], False), (101, ["1xx", "5xx"], True),
    ],
)  # fmt: skip
def test_sets_of_statuses(status: int, patterns: list[str], expected: bool) -> None:
    assert status_in(status, patterns) is expected


def test_request_and_response_have_a_json_schema() -> None:
    # An event's actions hold events, so that the schema names itself.
    schema = EventSpec.model_json_schema(by_alias=True)["$defs"]["EventSpec"]
    assert {"http", "actions"} <= set(schema["properties"])
    assert "json" in HttpResponse.model_json_schema(by_alias=True)["properties"]
