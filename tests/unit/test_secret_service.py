"""Secrets over HTTP from a real server: what is sent, kept, refused and never told."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import SecretsUnavailable, SecretUnavailable
from contracts.http import TlsOptions
from engines.http.wire import tls_context
from engines.secret_service import MAX_ANSWER_BYTES, SecretService
from engines.secrets import SecretStore
from tests.conftest import pick_port
from tests.http_servers import Answer, Seen, Server, ok, redirect, serving

TOKEN, VALUE = "service-token-1", "the-value-1"
GOOD = ok(json.dumps({"value": VALUE, "version": 3}).encode())


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    return file


def store(server: Server, token_file: Path | None = None, **more: Any) -> SecretStore:
    service = SecretService(f"{server.url}/api/secrets/", token_file, **more)
    return SecretStore({"HERE": "own"}, ["HERE"], None, service)


async def test_a_secret_is_asked_for_by_its_name_with_the_token(
    token_file: Path,
) -> None:
    async with serving(GOOD) as server:
        assert await store(server, token_file).value("DB.PASS-word") == VALUE
    (seen,) = server.seen
    assert (seen.method, seen.target) == ("GET", "/api/secrets/DB.PASS-word")
    assert seen.one("authorization") == f"Bearer {TOKEN}"


async def test_what_the_worker_has_itself_is_not_asked_for(tmp_path: Path) -> None:
    (tmp_path / "FILE").write_text("from a file\n")
    async with serving(GOOD) as server:
        service = SecretService(server.url)
        both = SecretStore({"HERE": "own"}, ["*"], tmp_path, service)
        assert await both.value("HERE") == "own"
        assert await both.value("FILE") == "from a file"
    assert server.seen == []


async def test_an_answer_is_kept_for_its_time_and_no_longer(token_file: Path) -> None:
    now = [0.0]
    async with serving(GOOD) as server:
        known = store(server, token_file, cache=60.0, clock=lambda: now[0])
        for _ in range(3):
            assert await known.value("A") == VALUE
        assert len(server.seen) == 1
        await known.value("B")
        assert len(server.seen) == 2, "each name for itself"
        now[0] = 60.0
        await known.value("A")
        assert len(server.seen) == 3
        eager = store(server, token_file, cache=0.0)
        await eager.value("A")
        await eager.value("A")
        assert len(server.seen) == 5


async def test_a_token_that_was_changed_is_used_at_once(token_file: Path) -> None:
    async with serving(GOOD) as server:
        known = store(server, token_file, cache=0.0)
        await known.value("A")
        await asyncio.to_thread(token_file.write_text, "service-token-2")
        await known.value("A")
    assert server.seen[1].one("authorization") == "Bearer service-token-2"


async def test_a_name_that_the_app_does_not_know_is_unavailable() -> None:
    async with serving(ok(b"no", status="404 Not Found")) as server:
        with pytest.raises(SecretUnavailable, match="the secret A does not exist"):
            await store(server).value("A")
        assert not SecretUnavailable().retryable


REFUSALS = {
    "token refused": (ok(b"", status="401 Unauthorized"), "refuses the worker's token"),
    "not allowed": (ok(b"", status="403 Forbidden"), "refuses the worker's token"),
    "broken": (ok(VALUE.encode(), status="500 Oh"), "answers with status 500"),
    "redirect": (redirect("http://127.0.0.1:1/"), "answers with status 302"),
    "no json": (ok(VALUE.encode()), 'without a text in "value"'),
    "no object": (ok(f'["{VALUE}"]'.encode()), 'without a text in "value"'),
    "no value": (ok(f'{{"secret": "{VALUE}"}}'.encode()), 'without a text in "value"'),
    "a number": (ok(b'{"value": 1}'), 'without a text in "value"'),
    "endless": (ok(b"x" * (MAX_ANSWER_BYTES + 1)), "sends more than"),
    "no http": (b"hello\r\n\r\n", "cannot be asked"),
    "cut off": (b"", "cannot be asked"),
}


@pytest.mark.parametrize("case", list(REFUSALS))
async def test_whatever_else_comes_is_tried_again_later_and_tells_nothing(
    case: str, token_file: Path
) -> None:
    answer, words = REFUSALS[case]
    async with serving(answer) as server:
        with pytest.raises(SecretsUnavailable) as caught:
            await store(server, token_file).value("A")
    error = caught.value
    assert words in str(error)
    assert error.retryable
    assert error.user_hint
    for secret in (TOKEN, VALUE):
        assert secret not in str(error)
        assert secret not in repr(error.__cause__)


async def test_a_service_that_is_away_or_silent_costs_its_time_alone(
    token_file: Path,
) -> None:
    away = SecretService(f"http://127.0.0.1:{pick_port()}", token_file, timeout=2)
    with pytest.raises(SecretsUnavailable, match="cannot be asked"):
        await SecretStore({}, [], None, away).value("A")

    async def silent(_: Seen, __: Any) -> None:
        await asyncio.Event().wait()

    answer: Answer = silent
    async with serving(answer) as server:
        known = store(server, token_file, timeout=0.3)
        asking = asyncio.ensure_future(known.value("A"))
        await asyncio.sleep(0)
        with pytest.raises(SecretsUnavailable, match=r"within 0\.3 s"):
            await asking


@pytest.mark.parametrize("content", [None, "", "\n", "two\nlines", "ü"])
async def test_a_token_that_cannot_be_sent_is_said_before_anything_is(
    content: str | None, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    async with serving(GOOD) as server:
        with pytest.raises(SecretsUnavailable, match="no token in") as caught:
            await store(server, file).value("A")
        assert "CRONIUM_SECRETS_TOKEN_FILE" in caught.value.user_hint
    assert server.seen == []


async def test_a_private_authority_is_trusted_when_it_is_named(tmp_path: Path) -> None:
    import ssl

    import trustme

    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    async with serving(GOOD, context) as server:
        with pytest.raises(SecretsUnavailable, match="cannot be asked"):
            await store(server).value("A")
        tls = tls_context(TlsOptions(), None, bundle)
        assert await store(server, tls=tls).value("A") == VALUE
