"""The text sent to servers: quoted, complete, plain POSIX sh, modern algorithms."""

import shutil
import subprocess
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
