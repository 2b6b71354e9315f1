"""What a user types and sees, against a running stack."""

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import time
from pathlib import Path

import docker
import httpx
import pytest

from tests.containers import containers_of
from tests.e2e.conftest import COMMAND, Cronium, environment

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("name", ["hello.sh", "hello.py", "hello.js"])
def test_a_bare_script_runs_with_its_input(name: str, cronium: Cronium) -> None:
    done = cronium("run", str(EXAMPLES / name), "--input", '{"name": "Ada"}')
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("Hello, Ada")
    assert done.stdout.splitlines()[-1] == "done"
    assert "this line goes to stderr" in done.stderr
    assert "SUCCESS" in done.stderr


def test_the_first_line_arrives_before_the_script_ends(state: Path) -> None:
    script = "echo first; sleep 3; echo last"
    process = subprocess.Popen(
        [COMMAND, "run", "-c", script],
        env=environment(state),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "first\n"
    arrived = time.monotonic()
    assert process.stdout.readline() == "last\n"
    # The two lines are 3 s apart in the script, and so they are here.
    assert time.monotonic() - arrived > 2
    assert process.wait(30) == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["-c", "exit 7"], 7),
        (["-c", "trap '' TERM; sleep 60", "--timeout", "1s"], 124),
        (["-c", "import sys; sys.exit(9)", "--type", "python"], 9),
        (["-c", "process.exit(11)", "--type", "nodejs"], 11),
    ],
)
def test_the_exit_status_tells_what_happened(
    arguments: list[str], code: int, cronium: Cronium
) -> None:
    assert cronium("run", *arguments).returncode == code


def test_json_is_the_result_alone(cronium: Cronium) -> None:
    done = cronium("run", "-c", "echo hi; exit 3", "--json", "--env", "A=b c")
    result = json.loads(done.stdout)
    assert done.returncode == 3
    assert (result["status"], result["exitCode"]) == ("FAILURE", 3)
    assert result["error"]["type"] == "ScriptFailed"
    assert result["logs"]["lines"] == 1


def test_piped_output_is_exact(cronium: Cronium) -> None:
    done = cronium("run", "-c", r"printf 'a\x00b\xff\n\033[31mred\n'", text=False)
    assert done.stdout == b"a\x00b\xff\n\x1b[31mred\n"


def test_ctrl_c_cancels_the_run_and_says_so(
    state: Path, cronium: Cronium, docker_client: docker.APIClient
) -> None:
    execution = "ctrl-c-run"
    process = subprocess.Popen(
        [COMMAND, "run", "-c", "echo up; sleep 60", "--execution-id", execution],
        env=environment(state),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    words = process.stderr.read()
    assert "cancel" in words.lower()
    assert "CANCELLED" in words
    assert containers_of(docker_client, state / "run", execution) == []


def log_in(terminal: int) -> None:
    """Begin as a shell on a terminal does, however this process itself was started."""
    os.login_tty(terminal)
    # A shell lets what it runs in the background ignore Ctrl-C, and that is inherited.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def screen_after_ctrl_c(state: Path, first: bytes, *arguments: str) -> str:
    """Run the command on a terminal, press Ctrl-C at its first line, return it all."""
    master, terminal = pty.openpty()
    process = subprocess.Popen(
        [COMMAND, *arguments],
        env=environment(state),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        preexec_fn=lambda: log_in(terminal),
    )
    os.close(terminal)
    seen, pressed = b"", False
    # Linux ends reading with this error once the last process is gone.
    with contextlib.suppress(OSError):
        while data := os.read(master, 65536):
            seen += data
            if first in seen and not pressed:
                pressed = os.write(master, b"\x03") == 1
    os.close(master)
    assert process.wait(30) == 130
    return seen.decode().replace("\r\n", "\n")


def test_on_a_terminal_what_is_said_after_ctrl_c_has_a_line_of_its_own(
    state: Path, cronium: Cronium
) -> None:
    begun = cronium("run", "-c", "echo up; sleep 60", "--detach").stdout.strip()
    followed = screen_after_ctrl_c(state, b"\nup", "logs", "-f", begun)
    assert "\n^C\nno longer following" in followed
    running = cronium("status", begun).stdout
    assert "RUNNING" in running
    assert re.search("Event +inline", running)
    assert cronium("cancel", begun).returncode == 0
    script = "echo up; sleep 60"
    attended = screen_after_ctrl_c(state, b"\nup", "run", "-c", script)
    assert "\n^C\ncancelling" in attended
    assert "CANCELLED" in attended


def test_the_list_begins_with_what_began_last(cronium: Cronium) -> None:
    slow = cronium("run", "-c", "sleep 4", "--detach").stdout.strip()
    done = cronium("run", "-c", "true", "--json")
    quick = json.loads(done.stdout)["executionId"]
    assert cronium("logs", "-f", slow).returncode == 0
    rows = json.loads(cronium("list", "--json").stdout)
    ids = [row["executionId"] for row in rows]
    assert ids.index(quick) < ids.index(slow)


def test_a_detached_run_can_be_followed_listed_and_cancelled(
    state: Path, cronium: Cronium, docker_client: docker.APIClient
) -> None:
    started = cronium("run", "-c", "echo up; sleep 60", "--detach")
    execution = started.stdout.strip()
    assert started.returncode == 0
    assert execution in cronium("list").stdout
    assert "RUNNING" in cronium("status", execution).stdout
    cancelled = cronium("cancel", execution)
    assert cancelled.returncode == 0, cancelled.stderr
    assert containers_of(docker_client, state / "run", execution) == []
    assert "CANCELLED" in cronium("status", execution).stdout
    assert "up" in cronium("logs", execution).stdout


def test_a_log_can_be_read_from_any_line(cronium: Cronium) -> None:
    done = cronium("run", "-c", "seq 1 50", "--json")
    execution = json.loads(done.stdout)["executionId"]
    whole = cronium("logs", execution, "--json").stdout.splitlines()
    part = cronium("logs", execution, "--json", "--from-seq", "40").stdout.splitlines()
    assert [json.loads(line)["seq"] for line in part] == list(range(40, len(whole) + 1))
    followed = cronium("logs", execution, "-f").stdout
    assert "50" in followed.splitlines()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-c", "x", "--input", "{bad"], "input"),
        (["-c", "x", "--timeout", "-5"], "--timeout"),
        (["-c", "x", "--type", "perl"], "type"),
        (["-c", "x", "--env", "1A=2"], "env"),
        (["no-such-file.sh"], "no-such-file.sh"),
        (["-c", ""], "script"),
    ],
)
def test_a_mistake_is_said_before_anything_starts(
    arguments: list[str], words: str, cronium: Cronium
) -> None:
    done = cronium("run", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_field_in_a_file_is_named(cronium: Cronium, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("type: bash\nscirpt: echo hi\n")
    done = cronium("run", str(file))
    assert done.returncode == 2
    assert "did you mean script" in done.stderr


def test_an_input_of_five_megabytes_is_refused_with_its_path(
    cronium: Cronium, tmp_path: Path
) -> None:
    file = tmp_path / "big.json"
    file.write_text(json.dumps("x" * 5_000_000))
    done = cronium("run", "-c", "true", "--input", f"@{file}")
    assert done.returncode == 2
    assert "input" in done.stderr
    assert "524288" in done.stderr


def test_an_unknown_execution_is_a_clear_error(cronium: Cronium) -> None:
    done = cronium("status", "no-such-execution")
    assert done.returncode != 0
    assert "no-such-execution" in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_finds_this_machine_well(cronium: Cronium) -> None:
    done = cronium("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "seccomp" in done.stdout + done.stderr


def test_the_link_opens_the_log_page_with_a_token(cronium: Cronium) -> None:
    execution = cronium("run", "-c", "echo hi", "--detach").stdout.strip()
    address, _, token = cronium("logs", execution, "--link").stdout.partition("#token=")
    assert httpx.get(address).status_code == 200
    api = address.replace("/logs/", "/api/executions/") + "/logs"
    bearer = {"Authorization": f"Bearer {token.strip()}"}
    assert httpx.get(api, headers=bearer).status_code in (200, 404)
    assert httpx.get(api).status_code == 401
