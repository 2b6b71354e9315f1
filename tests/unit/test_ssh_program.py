"""The text sent to servers: quoted, complete, plain POSIX sh, modern algorithms."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events import EventType, Network, Resources
from contracts.server_errors import SshProtocolError, SshServerRefused
from contracts.servers import Algorithms
from engines.places import SandboxSpec
from engines.ssh import program
from engines.ssh.algorithms import choose

SCRIPTS = sorted((Path(program.__file__).parent).glob("*.sh"))


def spec(**changes: object) -> SandboxSpec:
    fields: dict[str, object] = {
        "run_key": "k" * 32,
        "event_type": EventType.BASH,
        "script": "true",
        "resources": Resources(),
        "network": Network.NONE,
        "image": "",
    }
    return SandboxSpec(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("shell", ["dash", "bash --posix"])
@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_every_shell_can_read_the_program(path: Path, shell: str) -> None:
    sent = "".join(program._text(path.name).splitlines(keepends=True))
    done = subprocess.run(
        [*shell.split(), "-n"], input=sent.encode(), capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, b"")


@given(st.lists(st.text(max_size=30), max_size=4))
def test_arguments_are_words_whatever_is_in_them(arguments: list[str]) -> None:
    line = program.command("print", *(a.replace("\0", "") for a in arguments))
    text = "print() { for a; do printf '%s\\0' \"$a\"; done; }\n" + line
    done = subprocess.run(
        [shutil.which("dash") or "sh"],
        input=text.encode("utf-8", "surrogateescape"),
        capture_output=True,
    )
    shown = done.stdout.decode().split("\0")[:-1]
    assert shown == [a.replace("\0", "") for a in arguments]


def test_nothing_of_the_script_can_end_its_own_text() -> None:
    hostile = "a\nend\nEOF\n'; exit 1 #\n$(exit 2) `exit 3` \\"
    lines = program.make(spec(script=hostile), "i", "")
    taken = "make() { :; }; made() { :; }; put() { printf '%s\\0' \"$@\"; }\n" + lines
    done = subprocess.run(
        [shutil.which("dash") or "sh"], input=taken.encode(), capture_output=True
    )
    words = done.stdout.decode().split("\0")
    assert words[words.index("script.sh") + 1] == hostile
    assert done.returncode == 0


def test_a_nul_byte_is_refused_by_name() -> None:
    with pytest.raises(SshServerRefused, match=r"input\.json"):
        program.make(spec(documents={"input.json": b"\0"}), "i", "")


def test_only_modern_algorithms_unless_named() -> None:
    chosen = choose(Algorithms())
    every = [*chosen.kex, *chosen.ciphers, *chosen.macs, *sum(chosen.host_keys, ())]
    for name in every:
        assert "sha1" not in name
        assert "cbc" not in name
        assert name not in ("ssh-rsa", "ssh-dss")
    named = Algorithms(kex=["diffie-hellman-group1-sha1"], host_keys=["ssh-rsa"])
    assert choose(named).kex[-1] == "diffie-hellman-group1-sha1"
    assert choose(named).host_keys[-1] == ("ssh-rsa",)
    with pytest.raises(SshProtocolError, match=r"algorithms\.macs: rot13"):
        choose(Algorithms(macs=["rot13"]))


class Account:
    """A shell that has read the program, on an account of its own."""

    def __init__(self, shell: str, home: Path, mark: str, path: str = "") -> None:
        self._mark = mark
        self._process = subprocess.Popen(
            shell.split(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"HOME": str(home), "PATH": f"{path}:/usr/bin:/bin"},
        )
        self.send(
            program.header(mark, "/proc/sys/kernel/random/boot_id", one_stream=False)
        )

    def send(self, lines: str) -> list[str]:
        """Give it lines; return its answers once all of them were read."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"{lines}say READ\n")
        stdin.flush()
        answers = []
        for line in stdout:
            mark, _, answer = line.strip().partition(" ")
            if mark == self._mark:
                if answer == "READ":
                    break
                answers.append(answer)
        return answers

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(params=["dash", "bash --posix"])
def two_shells(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[Account, Account]]:
    """The shell of a connection that is given up, and the one of the next."""
    shells = [Account(request.param, tmp_path, mark) for mark in ("late", "next")]
    yield shells[0], shells[1]
    for shell in shells:
        shell.close()


def contents(directory: Path) -> dict[str, str]:
    return {
        path.name: path.read_text()
        for path in directory.iterdir()
        if path.is_file() and path.name != "maker"
    }


def orders_of(script: str) -> tuple[str, str]:
    """The orders that make a run's directory, cut in their middle."""
    lines = program.make(spec(script=script, labels={"run": "k"}), "ours", "")
    first, put, rest = lines.partition("put 'script.sh'")
    assert put, lines
    return first, put + rest


def test_who_was_given_up_writes_into_no_directory_that_another_made(
    two_shells: tuple[Account, Account], tmp_path: Path
) -> None:
    late, following = two_shells
    first, rest = orders_of("echo late")
    assert late.send(first) == []
    made = following.send("".join(orders_of("echo next")))
    assert made[-1].startswith("MADE")
    directory = tmp_path / ".cronium/runs" / ("k" * 32)
    before = contents(directory)
    assert late.send(rest) == [f"ERR taken {directory}"]
    assert contents(directory) == before
    assert before["script.sh"] == "echo next"


def test_who_was_given_up_makes_no_directory_anew_that_was_removed(
    two_shells: tuple[Account, Account], tmp_path: Path
) -> None:
    late, following = two_shells
    first, rest = orders_of("true")
    late.send(first)
    assert following.send(program.command("forget", "k" * 32)) == ["FORGOTTEN"]
    assert late.send(rest)[0].startswith("ERR taken")
    assert list((tmp_path / ".cronium/runs").iterdir()) == []


def test_what_came_into_a_directory_while_it_was_removed_is_removed_as_well(
    tmp_path: Path,
) -> None:
    """As a shell does that had looked whose it is before, and writes after."""
    (tmp_path / "bin").mkdir()
    wrapper = tmp_path / "bin/rm"
    wrapper.write_text(
        '#!/bin/sh\n/bin/rm "$@"\n[ -e "$0.once" ] && exit\n: > "$0.once"\n'
        f"mkdir {tmp_path}/.cronium/runs/{'k' * 32}\n"
        f": > {tmp_path}/.cronium/runs/{'k' * 32}/event.json\n"
    )
    wrapper.chmod(0o755)
    shell = Account("dash", tmp_path, "mark", f"{tmp_path}/bin")
    shell.send("".join(orders_of("true")))
    assert shell.send(program.command("forget", "k" * 32)) == ["FORGOTTEN"]
    assert list((tmp_path / ".cronium/runs").iterdir()) == []
    shell.close()


def test_a_directory_tells_whose_it_is_before_anything_else_is_in_it(
    two_shells: tuple[Account, Account], tmp_path: Path
) -> None:
    """The connection may break at any time: then others are to know what it is."""
    shell, _ = two_shells
    first = orders_of("true")[0]
    shell.send(first.partition("put ")[0])
    found = contents(tmp_path / ".cronium/runs" / ("k" * 32))
    assert found.pop("room") == ""
    assert found == {"instance": "ours\n", "labels": '{"run": "k"}'}
