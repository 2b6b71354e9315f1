"""`cronium server check` and `cronium ssh scan` against real servers."""

import json
from pathlib import Path

import pytest
import yaml

from cli.main import run_command
from contracts.server_errors import SshConnectFailed
from engines.ssh import SshEngine
from tests.ssh.ground import Ground, Server


async def test_a_check_tells_what_a_server_has(
    engine: SshEngine, server: Server
) -> None:
    found = await engine.check(server.spec())
    assert set(found.interpreters) == {"bash", "python3", "node"}
    assert (found.interpreters["bash"] or "").startswith("5.")
    assert (found.interpreters["python3"] or "").startswith("3.")
    assert found.disk_free is not None
    assert found.disk_free > 1 << 20
    assert abs(found.clock_offset) < 2
    assert 0 < found.took < 20


async def test_a_check_of_a_dead_server_says_why(
    engine: SshEngine, server: Server, free_port: int
) -> None:
    dead = server.spec(address="127.0.0.1", port=free_port)
    with pytest.raises(SshConnectFailed):
        await engine.check(dead)


def test_the_commands_scan_add_and_check_a_server(
    ground: Ground,
    server: Server,
    free_port: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CRONIUM_STATE_DIR", str(tmp_path / "state"))
    assert run_command(["ssh", "scan", server.address, "--json"]) == 0
    (key,) = json.loads(capsys.readouterr().out)
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    spec = server.spec()
    assert spec.credentials.key is not None
    (secrets / "DEPLOY_KEY").write_text(spec.credentials.key.value or "")
    monkeypatch.setenv("CRONIUM_SECRETS_DIRECTORY", str(secrets))
    login = f"{spec.username}@{server.address}"
    assert run_command([
        "server", "add", "good", login, "--key", "DEPLOY_KEY",
        "--host-key", key["hostKey"],
    ]) == 0  # fmt: skip
    assert run_command(["server", "check", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["ok"]
    assert row["interpreters"]["bash"]
    assert run_command([
        "server", "add", "dead", f"x@127.0.0.1:{free_port}", "--key", "DEPLOY_KEY",
    ]) == 0  # fmt: skip
    assert run_command(["server", "check"]) == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "SshConnectFailed" in shown
    assert "good ok" in shown
    assert len(yaml.safe_load(Path("servers.yaml").read_text())["servers"]) == 2
