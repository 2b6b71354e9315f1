"""Every example and every starter of `cronium init` does what its comments say."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.demo import SCENES
from contracts.events import EventType
from tests.e2e.conftest import Cronium, Listening

EXAMPLES = Path(__file__).parents[2] / "examples"
KEY = "a long random key"
SHOWN = {
    "helpers.py", "helpers.js", "helpers.sh", "secrets.yaml", "http.yaml",
    "actions.yaml", "idempotent.yaml",
}  # fmt: skip
"""What the tests below run; `cronium demo` and its tests run the others."""
ON_SERVERS = {"rollout.yaml", "servers.yaml"}
"""What `tests/ssh/test_docs_ssh.py` runs."""
Secret = Callable[[str, str], None]


def run(cronium: Cronium, file: Path, *arguments: str) -> dict[str, Any]:
    done = cronium("run", str(file), "--json", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def lines(cronium: Cronium, execution: str, stream: str = "stdout") -> list[str]:
    said = cronium("logs", execution, "-f", "--json").stdout.splitlines()
    found = [json.loads(line) for line in said]
    return [line["text"] for line in found if line["stream"] == stream]


def test_no_example_is_left_out() -> None:
    there = {file.name for file in EXAMPLES.iterdir() if file.is_file()}
    shown = SHOWN | ON_SERVERS | {scene.file for scene in SCENES}
    assert there == shown | {"receiver.py"}


@pytest.mark.parametrize("name", ["helpers.py", "helpers.js", "helpers.sh"])
@pytest.mark.parametrize("items", [None, ["pen"]])
def test_the_helpers_work_in_each_language(
    name: str, items: list[str] | None, cronium: Cronium
) -> None:
    cronium("var", "set", "PACKED_TOTAL", "10")
    given = [] if items is None else ["--input", json.dumps({"items": items})]
    result = run(cronium, EXAMPLES / name, *given)
    count = 3 if items is None else 1
    assert result["output"] == {"packed": count, "total": 10 + count}
    assert result["condition"] is (count > 2)
    said = lines(cronium, result["executionId"], "log")
    assert said[0] == f"INFO order received items={count}"
    assert said[-1].startswith("100%")
    last = json.loads(cronium("var", "get", "LAST_ORDER").stdout)
    assert last == {"items": items or ["tea", "cup", "spoon"], "by": name[:-3]}
    stdout = lines(cronium, result["executionId"])
    assert stdout[-1].startswith("a variable that is not set is ")


def test_a_secret_is_used_and_masked(cronium: Cronium, secret: Secret) -> None:
    secret("SHOP_TOKEN", "correct horse\n")
    result = run(cronium, EXAMPLES / "secrets.yaml")
    assert result["output"] == {"length": 13}
    said = lines(cronium, result["executionId"])
    assert said[0] == "the token has 13 characters"
    assert "horse" not in "\n".join(said)
    assert all("***" in line for line in said[1:])


def test_a_request_is_filled_in_and_sent(
    cronium: Cronium, secret: Secret, receiver: Listening
) -> None:
    secret("SHOP_TOKEN", "correct horse")
    given = {"server": receiver.url, "day": "2026-05-04", "visits": 42}
    result = run(cronium, EXAMPLES / "http.yaml", "--input", json.dumps(given))
    assert result["output"]["status"] == 200
    assert result["output"]["json"] == {"taken": True}
    (taken,) = receiver.seen
    assert (taken.method, taken.path) == ("PUT", "/reports/2026-05-04?source=web")
    assert taken.headers["X-Api-Key"] == "correct horse"
    body = json.loads(taken.body)
    assert body["visits"] == 42
    assert body["text"] == f"42 visits, run {result['executionId']}"
    assert "horse" not in json.dumps(result)


def test_a_script_that_breaks_goes_on_where_it_was(cronium: Cronium) -> None:
    result = run(cronium, EXAMPLES / "idempotent.yaml")
    assert (result["status"], result["attempts"]) == ("SUCCESS", 2)
    assert result["output"] == {"copied": 4, "before this try": 2}
    said = lines(cronium, result["executionId"])
    assert said == [f"copy {name}.csv" for name in "abcd"]
    assert "COPIED_" not in cronium("var", "list").stdout


@pytest.fixture
def example_receiver() -> Iterator[subprocess.Popen[str]]:
    """The example's receiver, which knows the key."""
    command = [sys.executable, str(EXAMPLES / "receiver.py"), "--port", "0"]
    process = subprocess.Popen(
        [*command, "--key", KEY], stdout=subprocess.PIPE, text=True
    )
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("key", [KEY, "another key"])
def test_actions_tell_and_start_what_follows(
    key: str,
    cronium: Cronium,
    secret: Secret,
    example_receiver: subprocess.Popen[str],
    tmp_path: Path,
) -> None:
    assert example_receiver.stdout is not None
    host = example_receiver.stdout.readline().strip().rpartition("/")[2]
    secret("CALLBACK_KEY", key)
    secret("CHAT_URL", f"json://{host}/messages")
    text = (EXAMPLES / "actions.yaml").read_text()
    assert text.count("http://127.0.0.1:8799/callback") == 1
    file = tmp_path / "actions.yaml"
    file.write_text(text.replace("http://127.0.0.1:8799/", f"http://{host}/"))
    message, callback, started = run(cronium, file)["actions"]
    assert message["status"] == started["status"] == "SUCCESS", (message, started)
    assert message["notified"] == 1
    assert lines(cronium, started["executionId"]) == ["3 lines: enough to celebrate"]
    example_receiver.terminate()
    told, called = example_receiver.communicate(timeout=10)[0].splitlines()
    assert told.startswith("POST /messages")
    assert "3 lines in " in told
    if key == KEY:
        assert (callback["status"], callback["httpStatus"]) == ("SUCCESS", 200)
        assert called == "callback: Count and tell ended with SUCCESS"
    else:
        assert callback["error"]["type"] == "DeliveryRefused"
        assert called.startswith("callback refused")


@pytest.mark.parametrize("kind", EventType)
def test_a_starter_runs_as_it_is_written(
    kind: EventType, cronium: Cronium, tmp_path: Path, receiver: Listening
) -> None:
    file = tmp_path / "event.yaml"
    assert cronium("init", kind.value, str(file)).returncode == 0
    if kind is EventType.HTTP_REQUEST:
        text = file.read_text()
        assert text.count("https://status.example.invalid") == 1
        file.write_text(text.replace("https://status.example.invalid", receiver.url))
    else:
        cronium("var", "delete", "HELLO_RUNS")
    for number, given in enumerate(([], ["--input", '{"name": "Ada"}']), start=1):
        result = run(cronium, file, *given)
        if kind is EventType.HTTP_REQUEST:
            assert json.loads(receiver.seen[-1].body) == {"check": "all", "attempt": 1}
        else:
            name = "Ada" if given else "world"
            assert result["output"] == {"greeted": name, "runs": number}
