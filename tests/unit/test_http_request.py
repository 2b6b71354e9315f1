"""Requests as the server received them: headers, query, bodies and secrets."""

import asyncio
import email
import email.policy
import json
import logging
from typing import Any
from urllib.parse import parse_qsl

import pytest

from contracts.errors import HttpRequestInvalid
from contracts.events import EventSpec
from tests.http_servers import Seen, Sent, event_of, ok, send, serving

TOKEN = "s3cr3t-tök3n/+&=?"
ASCII_TOKEN = "s3cr3t-t0k3n/+&=?"


async def received(
    path: str = "/",
    *,
    data: Any = None,
    secrets: dict[str, str] | None = None,
    **http: Any,
) -> tuple[Seen, Sent]:
    async with serving(ok()) as server:
        sent = await send(
            event_of(server.url + path, **http), data=data, secrets=secrets
        )
        assert sent.end.error is None, sent.end.error
        (seen,) = server.seen
        return seen, sent


@pytest.mark.parametrize(
    "headers",
    [
        [{"key": "X-A", "value": "1"}, {"key": "X-B", "value": "2"}],
        [{"name": "X-A", "value": "1"}, {"name": "X-B", "value": "2"}],
        {"X-A": "1", "X-B": 2},
    ],
)
async def test_headers_come_as_a_list_or_as_a_map(headers: Any) -> None:
    seen, _ = await received(headers=headers)
    assert [h for h in seen.headers if h[0] in ("X-A", "X-B")] == [
        ("X-A", "1"),
        ("X-B", "2"),
    ]


async def test_headers_of_one_name_are_all_sent_in_order() -> None:
    pairs = [("X-A", "1"), ("X-B", "2"), ("X-A", "3")]
    seen, _ = await received(headers=[{"key": k, "value": v} for k, v in pairs])
    assert [h for h in seen.headers if h[0].startswith("X-")] == pairs


async def test_the_usual_headers_are_set_unless_the_event_sets_them() -> None:
    seen, sent = await received()
    assert seen.one("host") in sent.end.response.url
    assert seen.one("user-agent") == "cronium-executor"
    assert seen.one("accept-encoding") == "gzip, deflate"
    seen, _ = await received(headers={"user-agent": "mine", "Accept": "text/x"})
    assert seen.all("user-agent") == ["mine"]
    assert seen.all("accept") == ["text/x"]


@pytest.mark.parametrize("query", [{"a": ["1", "2"], "b c": "ä&="}, None])
async def test_query_parameters_are_added_and_encoded(query: Any) -> None:
    pairs = [("a", "1"), ("a", "2"), ("b c", "ä&=")]
    query = query or [{"key": k, "value": v} for k, v in pairs]
    seen, _ = await received("/p?x=1&x=2", query=query)
    assert parse_qsl(seen.target.partition("?")[2]) == [("x", "1"), ("x", "2"), *pairs]


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "post"]
)
async def test_every_method_is_sent(method: str) -> None:
    async def answer(seen: Seen, _: asyncio.StreamWriter) -> bytes:
        return ok(b"" if seen.method == "HEAD" else b"x")

    async with serving(answer) as server:
        sent = await send(event_of(server.url, method=method))
    assert sent.end.error is None
    assert server.seen[0].method == method.upper()


async def test_a_json_body_is_json_with_its_unicode() -> None:
    content = {"a": [1, None, True, "ü"], "b": {"c": 1.5}}
    seen, _ = await received(method="POST", body={"kind": "json", "content": content})
    assert json.loads(seen.body) == content
    assert "ü".encode() in seen.body
    assert seen.one("content-type") == "application/json"
    assert seen.one("content-length") == str(len(seen.body))


async def test_a_form_body_is_a_form_with_doubles() -> None:
    fields = [{"key": "a", "value": "1 &"}, {"name": "a", "value": "ü"}]
    seen, _ = await received(method="POST", body={"kind": "form", "fields": fields})
    assert parse_qsl(seen.body.decode()) == [("a", "1 &"), ("a", "ü")]
    assert seen.one("content-type") == "application/x-www-form-urlencoded"


def parts_of(seen: Seen) -> list[tuple[str, str | None, str, bytes]]:
    head = f"Content-Type: {seen.one('content-type')}\r\n\r\n".encode()
    message: Any = email.message_from_bytes(head + seen.body, policy=email.policy.HTTP)
    return [
        (
            part.get_param("name", header="content-disposition"),
            part.get_filename(),
            part.get_content_type(),
            part.get_payload(decode=True),
        )
        for part in message.iter_parts()
    ]


async def test_a_multipart_body_has_fields_and_files() -> None:
    parts = [
        {"name": "title", "value": "hello"},
        {"name": "token", "secret": "TOKEN"},
        {
            "name": "file", "base64": "AP8K", "filename": "a.bin",
            "contentType": "image/x-test",
        },
    ]  # fmt: skip
    seen, sent = await received(
        method="POST",
        headers={"Content-Type": "multipart/form-data"},
        body={"kind": "multipart", "parts": parts},
        secrets={"TOKEN": TOKEN},
    )
    assert parts_of(seen) == [
        ("title", None, "text/plain", b"hello"),
        ("token", None, "text/plain", TOKEN.encode()),
        ("file", "a.bin", "image/x-test", b"\x00\xff\n"),
    ]
    assert TOKEN not in sent.told


@pytest.mark.parametrize(
    ("text", "headers", "media_type", "expected"),
    [
        ("plain ü", {}, "text/plain; charset=utf-8", "plain ü"),
        ('{"a": 1}', {}, "application/json", '{"a": 1}'),
        ("<a/>", {"Content-Type": "text/xml"}, "text/xml", "<a/>"),
        (
            '{"a": "ü", "n": 1, "l": [1]}',
            {"Content-Type": "application/x-www-form-urlencoded"},
            "application/x-www-form-urlencoded",
            "a=%C3%BC&n=1&l=%5B1%5D",
        ),
        (
            "a=1&b=2",
            {"Content-Type": "application/x-www-form-urlencoded"},
            "application/x-www-form-urlencoded",
            "a=1&b=2",
        ),
    ],
)
async def test_a_bare_text_body_is_sent_as_the_app_means_it(
    text: str, headers: Any, media_type: str, expected: str
) -> None:
    seen, _ = await received(method="POST", body=text, headers=headers)
    assert seen.body.decode() == expected
    assert seen.one("content-type") == media_type


async def test_a_bare_object_with_a_multipart_header_becomes_parts() -> None:
    seen, _ = await received(
        method="POST",
        body='{"a": "1"}',
        headers={"content-type": "multipart/form-data"},
    )
    assert parts_of(seen) == [("a", None, "text/plain", b"1")]


async def test_an_empty_stored_body_is_no_body() -> None:
    seen, _ = await received(method="POST", body="")
    assert (seen.body, seen.all("content-type")) == (b"", [])
    assert seen.one("content-length") == "0"


@pytest.mark.parametrize("password", ["pa:ss", {"secret": "PASSWORD"}])
async def test_basic_auth_is_sent_and_never_told(password: Any) -> None:
    seen, sent = await received(
        auth={"kind": "basic", "username": "me", "password": password},
        secrets={"PASSWORD": "pa:ss"},
    )
    assert seen.one("authorization") == "Basic bWU6cGE6c3M="
    assert "bWU6cGE6c3M" not in sent.told
    assert "> Authorization: ***" in sent.lines


@pytest.mark.parametrize("token", [ASCII_TOKEN, {"secret": "TOKEN"}])
async def test_a_bearer_token_is_sent_and_never_told(token: Any) -> None:
    seen, sent = await received(
        auth={"kind": "bearer", "token": token}, secrets={"TOKEN": ASCII_TOKEN}
    )
    assert seen.one("authorization") == f"Bearer {ASCII_TOKEN}"
    assert ASCII_TOKEN not in sent.told


async def test_secrets_reach_the_server_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)

    async def echo(seen: Seen, _: asyncio.StreamWriter) -> bytes:
        # A server that tells all that it was told, in header, status and body.
        told = json.dumps([seen.target, seen.headers, seen.body.decode()])
        token = seen.one("x-token")
        return ok(
            told.encode(),
            f"X-Echo: {token}",
            "Content-Type: application/json",
            status=f"418 {token}",
        )

    async with serving(echo) as server:
        sent = await send(
            event_of(
                server.url + "/{{ secrets.TOKEN }}/x",
                method="POST",
                headers=[
                    {"key": "X-Token", "value": {"secret": "TOKEN"}},
                    {"key": "X-Half", "value": "key={{ secrets.TOKEN }}"},
                    {"key": "Cookie", "value": "plain-cookie-value"},
                ],
                query=[{"name": "q", "secret": "TOKEN"}],
                body={"kind": "json", "content": {"deep": [{"secret": "TOKEN"}]}},
            ),
            secrets={"TOKEN": ASCII_TOKEN},
        )
        (seen,) = server.seen
    assert seen.one("x-half") == f"key={ASCII_TOKEN}"
    assert json.loads(seen.body) == {"deep": [ASCII_TOKEN]}
    assert parse_qsl(seen.target.partition("?")[2]) == [("q", ASCII_TOKEN)]
    assert sent.error == "HttpStatus"
    assert sent.end.response.json_value is not None
    for form in (ASCII_TOKEN, "s3cr3t", "plain-cookie-value"):
        assert form not in sent.told
        assert form not in caplog.text


async def test_expressions_are_filled_in_from_input_and_event() -> None:
    seen, _ = await received(
        "/users/{{ input.user.name }}?x={{ input.q }}",
        method="POST",
        headers={"X-Event": "{{ event.id }}", "X-N": "{{ input.list[-1] }}"},
        query={"when": "{{ input.q }}"},
        body={
            "kind": "json",
            "content": {
                "whole": "{{ input.user }}", "text": "n={{ input.n }}",
                "absent": "{{ input.none | default('d') }}", "flag": "{{ input.f }}",
                "literal": "{% x %} {# y #}",
            },
        },
        data={
            "user": {"name": "a/b ü"}, "q": "1&admin=1", "n": 1, "list": [1, 2],
            "f": True,
        },
    )  # fmt: skip
    path, _, query = seen.target.partition("?")
    assert path == "/users/a%2Fb%20%C3%BC"
    assert parse_qsl(query) == [("x", "1&admin=1"), ("when", "1&admin=1")]
    assert (seen.one("x-event"), seen.one("x-n")) == ("e", "2")
    assert json.loads(seen.body) == {
        "whole": {"name": "a/b ü"}, "text": "n=1", "absent": "d", "flag": True,
        "literal": "{% x %} {# y #}",
    }  # fmt: skip


async def test_a_raw_expression_may_be_the_whole_url() -> None:
    async with serving(ok()) as server:
        event = event_of("{{ input.callback | raw }}")
        sent = await send(event, data={"callback": server.url + "/a/b?c=d"})
    assert sent.end.error is None
    assert server.seen[0].target == "/a/b?c=d"


async def test_input_cannot_name_a_secret() -> None:
    seen, _ = await received(
        method="POST",
        body={"kind": "json", "content": {"x": "{{ input }}"}},
        data={"secret": "TOKEN"},
        secrets={"TOKEN": TOKEN},
    )
    assert json.loads(seen.body) == {"x": {"secret": "TOKEN"}}


PLANTED = "planted-7f3a"


@pytest.mark.parametrize(
    ("http", "path"),
    [
        ({"headers": {"X": "{{ input.split }}"}}, "event.http.headers[0].value"),
        ({"headers": {"X": {"secret": "SPLIT"}}}, "event.http.headers[0].value"),
        ({"auth": {"kind": "bearer", "token": {"secret": "SPLIT"}}}, "auth.token"),
        ({"auth": {"kind": "basic", "username": "a:b", "password": "x"}}, "username"),
        ({"url": "http://{{ input.split | raw }}/"}, "event.http.url"),
        ({"url": "{{ input.file | raw }}"}, "http:// or https://"),
        ({"url": "{{ input.file }}"}, "http:// or https://"),
        ({"url": "http://h/{{ input.dots }}/x"}, "dots alone"),
        ({"url": "http://{{ input.user | raw }}/"}, "use `auth`"),
        ({"url": "http://h:{{ input.port }}/"}, "event.http.url"),
        ({"query": {"a": "{{ input.absent }}"}}, "event.http.query[0].value: there is"),
        ({"body": "{{ input.absent.deep }}"}, "event.http.body.text"),
        (
            {"body": {"kind": "json", "content": {"a": ["{{ input.no }}"]}}},
            "event.http.body.content.a[0]: there is no 'no'",
        ),
        (
            {"body": {"kind": "json", "content": {"secret": "not a name"}}},
            "event.http.body.content.secret",
        ),
        (
            {"body": {"kind": "json", "content": ["{{ input.big }}"] * 9}},
            "longer than allowed",
        ),
        ({"body": {"kind": "form", "fields": {"a": "{{ input.x.y }}"}}}, "fields[0]"),
        ({"url": "http://h/{{ input.big }}"}, "longer than allowed"),
        ({"body": {"kind": "json", "content": "{{ input.lone }}"}}, "not text"),
    ],
)
async def test_what_cannot_be_sent_is_refused_by_its_field_and_nothing_is_told(
    http: dict[str, Any], path: str
) -> None:
    data = {
        "split": f"a\r\nX-Evil: {PLANTED}", "file": f"file:///{PLANTED}", "dots": "..",
        "user": f"{PLANTED}:x@h", "port": "99999", "big": PLANTED * 30_000, "x": {},
        "lone": "\ud800",
    }  # fmt: skip
    event = event_of(http.pop("url", "http://127.0.0.1:9/"), **http)
    secrets = {"SPLIT": f"a\r\nX-Evil: {PLANTED}"}
    with pytest.raises(HttpRequestInvalid) as caught:
        await send(event, data=data, secrets=secrets)
    assert path in str(caught.value)
    assert PLANTED not in str(caught.value)


def test_a_repeat_is_safe_for_idempotent_methods_and_declared_events() -> None:
    def repeat(method: str, **more: Any) -> bool:
        event = event_of("http://h/", method=method).model_dump()
        return EventSpec.model_validate({**event, **more}).may_repeat

    safe = {m for m in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE") if repeat(m)}
    assert safe == {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}
    assert not repeat("POST")
    assert not repeat("PATCH")
    assert repeat("POST", idempotent=True)


@pytest.mark.parametrize(
    ("http", "hidden"),
    [
        (
            {"auth": {"kind": "basic", "username": "me", "password": "plain-pw-1"}},
            ["plain-pw-1", "bWU6cGxhaW4tcHctMQ"],
        ),
        ({"auth": {"kind": "bearer", "token": "plain-tok-1"}}, ["plain-tok-1"]),
        ({"headers": {"Authorization": "Token plain-tok-2"}}, ["plain-tok-2"]),
        ({"headers": {"X-Api-Key": "plain-key-1"}}, ["plain-key-1"]),
    ],
)
async def test_credentials_that_stand_in_the_event_are_masked_too(
    http: Any, hidden: list[str]
) -> None:
    async def echo(seen: Seen, _: asyncio.StreamWriter) -> bytes:
        told = seen.all("authorization") + seen.all("x-api-key") + ["plain-pw-1"]
        return ok(" ".join(told).encode())

    async with serving(echo) as server:
        sent = await send(event_of(server.url, **http))
    assert "***" in sent.end.response.body
    assert not [value for value in hidden if value in sent.told]
