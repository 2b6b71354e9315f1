"""Answers of the helper channel as text, for shells that ask for it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engines.channel.plain import MAX_BYTES, MAX_LAID_OUT_BYTES, MEDIA_TYPE
from tests.unit.channel import TOKEN, Channels, head

ACCEPT = {"Accept": MEDIA_TYPE}
BASE = "/executions/x1"


@pytest.fixture
async def channels(tmp_path: Path) -> AsyncIterator[Channels]:
    channels = Channels(tmp_path)
    yield channels
    await channels.server.close_all()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a text", "a text"),
        ("", ""),
        ("ends\n\n", "ends\n\n"),
        ("a full stop.", "a full stop."),
        ("ü€𝄞\t", "ü€𝄞\t"),
        (None, "null"),
        (True, "true"),
        (0, "0"),
        (10**40, "1" + "0" * 40),
        (0.1, "0.1"),
        ({"a": {"b": [0, "☃"]}}, '{"a":{"b":[0,"☃"]}}'),
    ],
)
async def test_a_variable_is_its_text_and_a_full_stop(
    value: Any, text: str, channels: Channels
) -> None:
    await channels.open()
    channels.variables.values["ann", "V"] = value
    async with channels.client() as http:
        answer = await http.get(f"{BASE}/variables/V", headers=ACCEPT)
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.content.decode() == text + "."


async def test_every_call_answers_with_the_part_that_it_is_for(
    channels: Channels,
) -> None:
    await channels.open(input=b'{"n":[1]}')
    async with channels.client(headers=ACCEPT) as http:

        async def ask(method: str, path: str, body: Any = None) -> str:
            answer = await http.request(method, BASE + path, json=body, headers=ACCEPT)
            assert answer.status_code == 200
            assert answer.headers["content-type"] == MEDIA_TYPE
            return answer.text

        laid_out = json.dumps({"n": [1]}, indent=2)
        assert await ask("GET", "/input") == laid_out + "."
        assert json.loads((await ask("GET", "/context"))[:-1])["id"] == "e1"
        assert await ask("POST", "/output", {"data": 1}) == "."
        assert await ask("GET", "/condition") == "null."
        assert await ask("POST", "/condition", {"condition": True}) == "."
        assert await ask("GET", "/condition") == "true."
        assert await ask("POST", "/progress", {"fraction": 0.5}) == "."
        assert await ask("POST", "/logs", {"message": "m"}) == "."
        assert await ask("PUT", "/variables/V", {"value": "v"}) == "v."
        assert await ask("POST", "/variables/V/append", {"value": "w"}) == "vw."
        assert await ask("POST", "/variables/C/increment", {"by": 2}) == "2."
        listed = (await ask("GET", "/variables"))[:-1]
        assert listed == json.dumps({"V": "vw", "C": 2}, indent=2)
        assert await ask("DELETE", "/variables/V") == "."


@pytest.mark.parametrize(
    ("method", "path", "status", "part"),
    [
        ("GET", f"{BASE}/variables/NONE", 404, "the variable is not set."),
        ("POST", f"{BASE}/output", 400, "data: required, but missing"),
        ("GET", "/executions/x2/input", 403, "this is another run's"),
        ("GET", "/nothing", 404, "there is no such call"),
    ],
)
async def test_a_refusal_is_its_message(
    method: str, path: str, status: int, part: str, channels: Channels
) -> None:
    await channels.open()
    async with channels.client() as http:
        answer = await http.request(method, path, headers=ACCEPT)
    assert answer.status_code == status
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.text.startswith(part)
    assert answer.text.endswith(".")
    assert "{" not in answer.text


async def test_without_a_token_nothing_is_told_in_either_form(
    channels: Channels,
) -> None:
    await channels.open(input=b'"a secret"')
    async with channels.client(token="") as http:
        answer = await http.get(f"{BASE}/input", headers=ACCEPT)
    assert answer.status_code == 401
    assert answer.text.startswith("no token;")


@pytest.mark.parametrize(
    "value",
    ["a\0b", "x" * MAX_BYTES],
    ids=["a character that shells cannot hold", "large"],
)
async def test_what_a_shell_or_the_worker_could_not_bear_is_json(
    value: str, channels: Channels
) -> None:
    await channels.open()
    channels.variables.values["ann", "V"] = value
    async with channels.client() as http:
        answer = await http.get(f"{BASE}/variables/V", headers=ACCEPT)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["data"]["value"] == value


async def test_laying_out_what_is_deep_does_not_make_it_large(
    channels: Channels,
) -> None:
    def nested(size: int) -> bytes:
        return b"[" * 90 + b"0," * (size // 2 - 91) + b"0" + b"]" * 90

    await channels.open(input=nested(MAX_LAID_OUT_BYTES))
    await channels.open("x2", input=nested(MAX_LAID_OUT_BYTES * 2))
    async with channels.client() as http:
        answer = await http.get(f"{BASE}/input", headers=ACCEPT)
        assert answer.headers["content-type"] == MEDIA_TYPE
        assert len(answer.content) < 2 * 2**20
    async with channels.client("x2") as http:
        answer = await http.get("/executions/x2/input", headers=ACCEPT)
        assert answer.headers["content-type"] == "application/json"


async def test_half_of_a_character_is_left_to_json(channels: Channels) -> None:
    await channels.open(input=b'"\\ud800"')
    async with channels.client() as http:
        answer = await http.get(f"{BASE}/input", headers=ACCEPT)
    assert answer.headers["content-type"] == "application/json"
    assert answer.content == b'{"success":true,"data":"\\ud800"}'


async def test_a_program_that_closes_nothing_gets_its_answer_and_the_end(
    channels: Channels,
) -> None:
    """As nc does it: one request of HTTP/1.0, then reading until the end."""
    await channels.open()
    reader, writer = await channels.raw()
    request = head("GET", f"{BASE}/input", f"Accept: {MEDIA_TYPE}", token=TOKEN)
    writer.write(request.replace(b"HTTP/1.1", b"HTTP/1.0"))
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b'\r\n\r\n{\n  "n": 1\n}.')
    writer.close()
