"""The codec server over real HTTP, as Temporal's web UI and command speak to it."""

import asyncio
import base64
import contextlib
import json
import os
import socket
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from temporalio.api.common.v1 import Payload

from gateway.tokens import Scope, mint
from worker.codec import EncryptionCodec, Key, KeyFile, KeyRing, server
from worker.codec.access import Access
from worker.codec.keys import write_keys
from worker.codec.server import codec_app

SECRET = "s" * 32
UI = "http://127.0.0.1:8233"
STRANGER = "https://evil.example.org"
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'{"a":1}')
# What the web UI sends with its access token (UI 2.54).
UI_HEADERS = "authorization,content-type,x-namespace"


def token(scope: Scope = Scope.CODEC, **more: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {mint(SECRET, scope, subject='t', **more)}"}


def shown(payload: Payload) -> dict[str, Any]:
    def text(data: bytes) -> str:
        return base64.b64encode(data).decode()

    metadata = {name: text(value) for name, value in payload.metadata.items()}
    return {"metadata": metadata, "data": text(payload.data)}


def read(item: dict[str, Any]) -> tuple[dict[str, bytes], bytes]:
    metadata = {name: base64.b64decode(v) for name, v in item["metadata"].items()}
    return metadata, base64.b64decode(item["data"])


@dataclass
class Served:
    """A running codec server."""

    url: str
    codec: EncryptionCodec
    http: httpx.AsyncClient

    async def post(self, path: str, *payloads: Any, **headers: str) -> httpx.Response:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post(
            self.url + path, json={"payloads": payloads}, headers=given
        )


class Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


@contextlib.asynccontextmanager
async def serving(directory: Path, **access: Any) -> AsyncIterator[Served]:
    file = directory / "keys.json"
    write_keys(file, KeyFile(active="k1", keys=[Key(id="k1", key=b"k" * 32)]))
    ring = KeyRing(file)
    rules = Access(**{"secret": lambda: SECRET, "origins": (UI,), **access})
    running = Server(uvicorn.Config(codec_app(ring, rules), port=0, log_level="error"))
    task = asyncio.create_task(running.serve())
    try:
        await asyncio.wait_for(running.listening.wait(), 20)
        port = running.servers[0].sockets[0].getsockname()[1]
        async with httpx.AsyncClient(trust_env=False) as http:
            yield Served(f"http://127.0.0.1:{port}", EncryptionCodec(ring), http)
    finally:
        running.should_exit = True
        await task


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path) as running:
        yield running


async def test_the_web_ui_gets_payloads_opened(served: Served) -> None:
    (sealed,) = await served.codec.encode([PLAIN])
    asked = await served.http.options(
        served.url + "/decode?preserveStorageRefs=true",
        headers={
            "Origin": UI,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": UI_HEADERS,
        },
    )
    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == UI
    allowed = asked.headers["access-control-allow-headers"].lower()
    assert all(name in allowed for name in UI_HEADERS.split(","))
    answer = await served.post(
        "/decode?preserveStorageRefs=true",
        shown(sealed),
        shown(PLAIN),
        Origin=UI,
        X_Namespace="default",
        **token(),
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["access-control-allow-origin"] == UI
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {"payloads": [shown(PLAIN), shown(PLAIN)]}


async def test_what_is_typed_into_the_web_ui_is_sealed(served: Served) -> None:
    answer = await served.post("/encode", shown(PLAIN), **token(Scope.SERVICE))
    metadata, data = read(answer.json()["payloads"][0])
    assert metadata["encryption-key-id"] == b"k1"
    assert await served.codec.decode([Payload(metadata=metadata, data=data)]) == [PLAIN]


async def test_a_payload_without_its_key_says_so_and_leaves_the_others_alone(
    served: Served,
) -> None:
    (sealed,) = await served.codec.encode([PLAIN])
    lost = Payload(
        metadata={**sealed.metadata, "encryption-key-id": b"k0"}, data=sealed.data
    )
    answer = await served.post("/decode", shown(lost), shown(sealed), **token())
    first, second = answer.json()["payloads"]
    assert second == shown(PLAIN)
    metadata, data = read(first)
    assert metadata["cronium-error"] == b"EncryptionKeyMissing"
    error = json.loads(data)["error"]
    assert "k0" in error["message"]
    assert "CRONIUM_ENCRYPTION_KEYS_FILE" in error["hint"]


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        ({}, 401, "no token"),
        ({"Authorization": "Bearer rubbish"}, 401, "not a valid"),
        ({"Authorization": f"Basic {SECRET}"}, 401, "no token"),
        (token(Scope.USER), 401, "scope user opens no payloads"),
        (token(Scope.EXECUTION), 401, "scope execution opens no payloads"),
        (token(Scope.INGEST), 401, "scope ingest opens no payloads"),
        (token(lifetime_seconds=-1), 401, "expired"),
        ({**token(), "Origin": STRANGER}, 403, "This page may not"),
        ({**token(), "Origin": "null"}, 403, "This page may not"),
    ],
    ids=["none", "rubbish", "basic", "user", "execution", "ingest", "old", "page",
         "null"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/decode", "/encode"])
async def test_nobody_else_gets_anything(
    headers: dict[str, str], status: int, words: str, path: str, served: Served
) -> None:
    (sealed,) = await served.codec.encode([PLAIN])
    answer = await served.post(path, shown(sealed), **headers)
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]
    assert answer.json()["error"]["hint"]
    assert "access-control-allow-origin" not in answer.headers


async def test_a_strangers_page_gets_no_leave(served: Served) -> None:
    asked = await served.http.options(
        served.url + "/decode",
        headers={"Origin": STRANGER, "Access-Control-Request-Method": "POST"},
    )
    assert asked.status_code == 400
    assert "access-control-allow-origin" not in asked.headers


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 422, ""),
        (b'{"payloads": [{"data": "p!anted"}]}', 422, "payloads[0].data"),
        (b'{"payloads": [{"metadata": {"a": "p!anted"}}]}', 422, "metadata"),
        (b'{"payloads": "p!anted"}', 422, "payloads"),
    ],
    ids=["no json", "data", "metadata", "no list"],
)
async def test_bad_bodies_are_refused_with_their_place(
    body: bytes, status: int, words: str, served: Served
) -> None:
    headers = {"Content-Type": "application/json", **token()}
    answer = await served.http.post(
        served.url + "/decode", content=body, headers=headers
    )
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]
    assert "p!anted" not in answer.text


async def test_a_body_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So little that the client has sent all of it when the answer comes.
    monkeypatch.setattr(server, "MAX_BODY_BYTES", 1_000)
    async with serving(tmp_path) as served:
        answer = await served.post("/decode", {"data": "A" * 1_000}, **token())
    assert answer.status_code == 413


async def test_a_process_of_the_same_user_needs_no_token_where_that_is_set(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, trust_own_user=True) as served:
        (sealed,) = await served.codec.encode([PLAIN])
        answer = await served.post("/decode", shown(sealed), Origin=UI)
        assert answer.json() == {"payloads": [shown(PLAIN)]}
        page = await served.post("/decode", shown(sealed), Origin=STRANGER)
        assert page.status_code == 403
        wrong = await served.post("/decode", shown(sealed), Authorization="Bearer x")
        assert wrong.status_code == 401, "a bad token is not made good by the user"


ASK = r"""
exec 3<> "/dev/tcp/127.0.0.1/$1"
body='{"payloads": []}'
printf 'POST /decode HTTP/1.1\r\nHost: localhost\r\n' >&3
printf 'Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s' \
  "${#body}" "$body" >&3
read -r _ status _ <&3
echo "$status"
"""


async def test_a_process_of_another_user_needs_a_token(tmp_path: Path) -> None:
    async with serving(tmp_path, trust_own_user=True) as served:
        port = served.url.rpartition(":")[2]
        told = {}
        for user in (os.geteuid(), 65534):
            asking = await asyncio.create_subprocess_exec(
                "/bin/bash", "-c", ASK, "ask", port,
                stdout=subprocess.PIPE, user=user, cwd="/",
            )  # fmt: skip
            told[user] = (await asking.communicate())[0].strip()
    assert told == {os.geteuid(): b"200", 65534: b"401"}


async def test_ready_says_what_is_wrong_with_the_keys(served: Served) -> None:
    assert (await served.http.get(served.url + "/ready")).status_code == 200
    stray = Payload(
        metadata={"encoding": b"binary/encrypted", "encryption-key-id": b"k9"}
    )
    await served.post("/decode", shown(stray), **token())
    answer = await served.http.get(served.url + "/ready")
    assert answer.status_code == 503
    assert "no key k9 here" in answer.json()["error"]["message"]
