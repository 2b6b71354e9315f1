"""Tokens and the secret that signs them."""

import subprocess
import sys
import time
from pathlib import Path

import jwt
import pytest

from gateway.errors import TokenRefused
from gateway.tokens import AUDIENCE, Scope, load_or_create_secret, mint, verify
from tests.gateway.conftest import SECRET


def _signed(**claims: object) -> str:
    good = {"aud": AUDIENCE, "sub": "s", "scope": "service", "exp": time.time() + 6000}
    chosen = {k: v for k, v in (good | claims).items() if v is not None}
    return jwt.encode(chosen, SECRET, algorithm="HS256")


def test_a_token_says_scope_and_subject():
    claims = verify(SECRET, mint(SECRET, Scope.USER, subject="ann"))
    assert (claims.scope, claims.subject) == (Scope.USER, "ann")
    assert claims.expires_at > time.time()


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (_signed(exp=time.time() - 5), "expired"),
        (_signed(aud="another"), "audience"),
        (_signed(exp=None), "`exp`"),
        (_signed(sub=None), "`sub`"),
        (_signed(scope="root"), "scope"),
        (_signed(scope=None), "scope"),
        (jwt.encode({"sub": "s"}, "x" * 40, algorithm="HS256"), "another secret"),
        (jwt.encode({"sub": "s"}, None, algorithm="none"), "not a valid"),
        ("a.b.c", "not a valid"),
    ],
)
def test_a_bad_token_is_refused_with_a_reason_and_without_the_token(
    token: str, reason: str
):
    with pytest.raises(TokenRefused) as refused:
        verify(SECRET, token)
    assert reason in str(refused.value)
    assert token not in str(refused.value)
    assert refused.value.__cause__ is None


def test_the_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path):
    path = tmp_path / "state" / "secret"
    secret = load_or_create_secret(path)
    assert len(bytes.fromhex(secret)) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    assert load_or_create_secret(path) == secret
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["secret"]


def test_processes_that_start_together_agree_on_the_secret(tmp_path: Path):
    code = (
        "import sys; from pathlib import Path;"
        "from gateway.tokens import load_or_create_secret;"
        "print('ready', flush=True); sys.stdin.readline();"
        "print(load_or_create_secret(Path(sys.argv[1])))"
    )
    together = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "secret")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in together:
        assert process.stdout is not None
        process.stdout.readline()
    for process in together:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    assert len({process.communicate()[0] for process in together}) == 1


def test_a_damaged_secret_is_refused(tmp_path: Path):
    (tmp_path / "secret").write_text("short")
    with pytest.raises(TokenRefused, match="shorter"):
        load_or_create_secret(tmp_path / "secret")
