"""The key that signs tokens: replaced while everything goes on."""

import time
from pathlib import Path

import pytest

from gateway.errors import TokenRefused
from gateway.keys import (
    SecretFile,
    all_keys,
    load_or_create_secret,
    replace_key,
    signing_key,
    valid_keys,
)
from gateway.tokens import Scope, mint, verify
from tests.gateway.conftest import SECRET, Start
from worker.compose import service_token
from worker.settings import load_settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A key file as the gateway makes it."""
    path = tmp_path / "secret"
    path.write_text(SECRET)
    path.chmod(0o600)
    return path


def test_tokens_of_the_former_key_are_good_for_the_grace(file: Path):
    old = mint(SECRET, Scope.USER, subject="ann")
    until = replace_key(file, 60)
    assert 55 < until - time.time() <= 60
    secret = load_or_create_secret(file)
    new = mint(secret, Scope.USER, subject="ann")
    for token in (old, new):
        assert verify(secret, token).subject == "ann"
    with pytest.raises(TokenRefused, match="another secret"):
        verify(SECRET, new)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in file.parent.iterdir()] == ["secret"]


def test_without_grace_the_former_keys_tokens_are_worth_nothing_at_once(file: Path):
    old = mint(SECRET, Scope.USER, subject="ann")
    replace_key(file, 0)
    with pytest.raises(TokenRefused, match="another secret"):
        verify(load_or_create_secret(file), old)


def test_replacing_again_prolongs_no_former_key(file: Path):
    replace_key(file, 50)
    second = signing_key(file.read_text())
    replace_key(file, 5000)
    now = time.time()
    secret = load_or_create_secret(file)
    assert valid_keys(secret, now) == [signing_key(secret), second, SECRET]
    assert valid_keys(secret, now + 60) == [signing_key(secret), second]
    assert valid_keys(secret, now + 5060) == [signing_key(secret)]
    # A quick replacement ends them all, long graces before it or not.
    replace_key(file, 0)
    secret = load_or_create_secret(file)
    assert valid_keys(secret) == [signing_key(secret)]
    assert len(all_keys(secret)) == 4


def test_the_file_does_not_grow_for_ever(file: Path):
    for _ in range(10):
        replace_key(file, 60)
    assert len(all_keys(load_or_create_secret(file))) == 5


@pytest.mark.parametrize(
    "text", [f"{SECRET}\nshort 99", "short", f"{SECRET}\n{SECRET} soon"]
)
def test_a_damaged_file_is_refused(file: Path, text: str):
    file.write_text(text)
    with pytest.raises(TokenRefused):
        load_or_create_secret(file)


def test_a_running_process_follows_the_file_and_survives_its_loss(file: Path):
    now = [0.0]
    secret = SecretFile(SECRET, file, clock=lambda: now[0])
    assert secret.current() == SECRET
    replace_key(file, 60)
    assert secret.current() == SECRET
    now[0] = 2.0
    replaced = secret.current()
    assert signing_key(replaced) != SECRET
    file.write_text("damaged")
    now[0] = 4.0
    assert secret.current() == replaced
    file.unlink()
    now[0] = 6.0
    assert secret.current() == replaced
    assert not file.exists()


def test_a_worker_signs_with_the_new_key_and_makes_none(
    file: Path, monkeypatch: pytest.MonkeyPatch
):
    settings = load_settings(
        state_dir=file.parent / "state", gateway={"secret_file": file}
    )
    monkeypatch.setattr("gateway.keys._LOOK_SECONDS", 0.0)
    worker = service_token(settings, "host")
    assert verify(SECRET, worker()).subject == "host"
    replace_key(file, 0)
    secret = file.read_text()
    assert verify(secret, worker()).subject == "host"
    file.unlink()
    # Another key would lock everybody out.
    assert verify(secret, worker()).subject == "host"
    assert not file.exists()


async def test_a_gateway_takes_both_keys_and_then_one(start: Start, file: Path):
    gateway = await start(secret_file=file)
    old = mint(SECRET, Scope.SERVICE, subject="s", lifetime_seconds=3600)
    settings = load_settings(
        state_dir=file.parent / "state", gateway={"secret_file": file}
    )
    before = service_token(settings, "host")()
    replace_key(file, 3600)
    gateway.services._secret._look_at = 0.0
    after = service_token(settings, "host")()
    for token in (old, before, after):
        headers = {"Authorization": f"Bearer {token}"}
        answer = await gateway.get("/api/executions", headers=headers)
        assert answer.status_code == 200, answer.text
    replace_key(file, 0)
    gateway.services._secret._look_at = 0.0
    last = service_token(settings, "host")()
    for token, status in ((old, 401), (before, 401), (after, 401), (last, 200)):
        headers = {"Authorization": f"Bearer {token}"}
        answer = await gateway.get("/api/executions", headers=headers)
        assert answer.status_code == status
