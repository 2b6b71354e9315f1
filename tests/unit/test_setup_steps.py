"""`make setup`: every step looks first, and says what to do when it cannot go on."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts import setup

# A stand-in for the engine: it answers on the socket until nobody asks for a while.
ENGINE = """#!{python}
import os, socket, sys
print("hello from the log", flush=True)
path = {socket!r}
with socket.socket(socket.AF_UNIX) as server:
    server.bind(path)
    server.listen()
    server.settimeout({seconds})
    while True:
        try:
            client = server.accept()[0]
        except TimeoutError:
            break
        asked = client.recv(999).split()[1]
        body = b'{{"Version": "9.9"}}' if asked == b"/version" else b"OK"
        client.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\n" + body)
        client.close()
os.unlink(path)
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with no Docker, no init system and no commands but one's own."""
    monkeypatch.setattr(setup, "DOCKER_SOCKET", str(tmp_path / "docker.sock"))
    monkeypatch.setattr(setup, "DAEMON_LOG", tmp_path / "dockerd.log")
    monkeypatch.setattr(setup, "SYSTEMD", tmp_path / "no-systemd")
    monkeypatch.setattr(setup, "INIT_SCRIPT", tmp_path / "init-docker")
    monkeypatch.setattr(setup, "KEYRING", tmp_path / "keyring")
    monkeypatch.setattr(setup, "DAEMON_SECONDS", 10)
    monkeypatch.setattr(setup.os, "geteuid", lambda: 0)
    commands = tmp_path / "bin"
    commands.mkdir()
    monkeypatch.setenv("PATH", str(commands))
    return tmp_path


@pytest.fixture
def command(machine: Path) -> Callable[[str, str], None]:
    def install(name: str, text: str) -> None:
        file = machine / "bin" / name
        file.write_text(text)
        file.chmod(0o755)

    return install


@pytest.fixture
def engine(machine: Path) -> str:
    return ENGINE.format(python=sys.executable, socket=setup.DOCKER_SOCKET, seconds=1.5)


@pytest.fixture
def running(machine: Path, engine: str) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", engine])
    assert setup.answers_while(lambda: process.poll() is None)
    yield
    process.kill()
    process.wait()


def test_a_machine_without_docker_is_seen_as_such(machine: Path) -> None:
    assert not setup.daemon_answers()
    assert setup.missing_packages(running=False) == [
        "debian-archive-keyring",
        "docker.io",
        "iproute2",
        "iptables",
        "mmdebstrap",
    ]


def test_beside_a_running_engine_only_its_client_is_needed(
    machine: Path, command: Callable[[str, str], None]
) -> None:
    command("mmdebstrap", "")
    assert setup.missing_packages(running=True) == ["docker.io"]
    command("docker", "")
    assert setup.missing_packages(running=True) == []


def test_the_running_engine_is_named_with_its_version(
    running: None,
    command: Callable[[str, str], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    command("docker", "")
    command("mmdebstrap", "")
    setup.docker_engine()
    assert capsys.readouterr().out == "setup: docker: 9.9 running\n"


def test_dockerd_is_started_where_nothing_else_does(
    engine: str,
    command: Callable[[str, str], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("docker", "mmdebstrap", "ip", "iptables"):
        command(name, "")
    command("dockerd", engine)
    setup.docker_engine()
    assert capsys.readouterr().out == "setup: docker: 9.9 started\n"
    assert setup.DAEMON_LOG.read_text() == "hello from the log\n"


def test_an_init_script_comes_before_a_daemon_of_our_own(
    engine: str, command: Callable[[str, str], None]
) -> None:
    setup.INIT_SCRIPT.touch()
    command("engine", engine)
    command("service", '#!/bin/sh\ntest "$2" = status || engine &\n')
    command("dockerd", "#!/bin/sh\nexit 3\n")
    setup.start_daemon()
    assert not setup.DAEMON_LOG.exists()


def test_when_the_init_script_fails_dockerd_is_started_directly(
    engine: str, command: Callable[[str, str], None]
) -> None:
    setup.INIT_SCRIPT.touch()
    command("service", "#!/bin/sh\nexit 1\n")
    command("dockerd", engine)
    setup.start_daemon()
    assert setup.daemon_answers()


def test_a_daemon_that_dies_shows_the_end_of_its_log(
    machine: Path, command: Callable[[str, str], None]
) -> None:
    command("dockerd", "#!/bin/sh\necho 'no space left'\nexit 1\n")
    with pytest.raises(setup.SetupFailed, match=r"(?s)did not come up.*no space left"):
        setup.start_daemon()


def test_without_root_it_says_which_commands_to_run(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup.os, "geteuid", lambda: 1000)
    wanted = "As root, run: apt-get update && apt-get install .* docker.io iproute2"
    with pytest.raises(setup.SetupFailed, match=wanted):
        setup.docker_engine()


def test_dependencies_are_installed_again_only_when_they_changed(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project, asked = machine / "pyproject.toml", []
    project.write_text("a")
    monkeypatch.setattr(setup, "INPUTS", (project,))
    monkeypatch.setattr(setup, "STAMP", machine / "stamp")
    monkeypatch.setattr(setup, "run", lambda *c, failure: asked.append(c))
    setup.dependencies()
    setup.dependencies()
    assert len(asked) == 2
    assert capsys.readouterr().out.endswith("setup: dependencies: up to date\n")
    project.write_text("b")
    setup.dependencies()
    assert len(asked) == 4
    assert all("--require-hashes" in asked[i] for i in (0, 2))


def test_a_step_that_fails_ends_setup_with_one_line(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise setup.SetupFailed("do this")

    monkeypatch.setattr(setup, "virtual_environment", fails)
    assert setup.main() == 1
    assert capsys.readouterr().err == "setup: do this\n"
