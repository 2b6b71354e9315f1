"""docs/ssh.md and the examples for servers are true: all of it is run, on real sshd.

The page's addresses and keys are examples; here they are those of our servers.
"""

import json
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml

import contracts.server_errors
from contracts.server_errors import SshRefused, SshUnavailable
from tests.conftest import new_instance
from tests.e2e.conftest import COMMAND, environment
from tests.remains import remove_remains
from tests.ssh.ground import PASSWORD, Ground, Server, key_text, public_text

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "ssh.md").read_text()
# Languages with a second word: the test of all pages leaves such blocks to this one.
BLOCK = re.compile(r"^```(\w+) ([\w.-]+)\n(.*?)^```$", re.M | re.S)
BLOCKS = BLOCK.findall(PAGE)
KEY = "ssh-ed25519 AAAA…"
Cronium = Callable[..., subprocess.CompletedProcess[str]]


def blocks(kind: str) -> list[str]:
    return [body for _, name, body in BLOCKS if name == kind]


@pytest.fixture(scope="module")
def fleet(ground: Ground) -> dict[str, Server]:
    """The servers, by the addresses that page and examples give them."""
    return {f"10.0.0.{number}": ground.server() for number in (11, 12, 13, 21)}


@pytest.fixture(scope="module")
def cronium(
    fleet: dict[str, Server],
    docker_client: docker.APIClient,
    temporal_binary: str,
    tmp_path_factory: Any,
) -> Iterator[Cronium]:
    """Runs the command, with a stack behind it that knows key and servers."""
    state: Path = tmp_path_factory.mktemp("state")
    (state / "secrets").mkdir()
    key = next(iter(fleet.values())).ground.user_key
    (state / "secrets" / "DEPLOY_KEY").write_text(key_text(key))
    known = [f"{one.address} {public_text(one.host_key)}\n" for one in fleet.values()]
    (state / "secrets" / "SUDO_PASSWORD").write_text(PASSWORD)
    (state / "known_hosts").write_text("".join(known))
    variables = environment(state) | {
        "CRONIUM_INSTANCE": new_instance("docs"),
        "CRONIUM_SSH_KNOWN_HOSTS": str(state / "known_hosts"),
    }

    def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, *arguments],
            env=variables,
            capture_output=True,
            text=True,
            timeout=120,
            **options,
        )

    begun = run("dev", "--background")
    assert begun.returncode == 0, begun.stderr
    yield run
    try:
        assert run("down").returncode == 0
    finally:
        remove_remains(variables["CRONIUM_INSTANCE"])


def ours(value: Any, fleet: dict[str, Server]) -> Any:
    """Put our servers in the place of the page's."""
    if isinstance(value, list):
        return [ours(item, fleet) for item in value]
    if not isinstance(value, dict):
        return value
    found = {name: ours(item, fleet) for name, item in value.items()}
    if "address" in found:
        server = fleet[found["address"]]
        found["address"] = server.address
        found["hostKeys"] = [public_text(server.host_key)]
    if "username" in found:
        assert found["username"] == "deploy"
        found["username"] = "sudoer" if "runAs" in found else "plain"
    if "runAs" in found:
        found["runAs"]["user"] = "other"
    return found


def line_of_ours(line: str, fleet: dict[str, Server]) -> list[str]:
    """Return the arguments of a command, with our servers in them."""
    for address, server in fleet.items():
        if address in line:
            line = line.replace(KEY, public_text(server.host_key))
            line = line.replace(address, server.address)
    return shlex.split(line.replace("deploy@", "plain@"), comments=True)


def write_yaml(file: Path, text: str, fleet: dict[str, Server]) -> dict[str, Any]:
    data: dict[str, Any] = ours(yaml.safe_load(text), fleet)
    file.write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))
    return data


def play(commands: str, cronium: Cronium, fleet: dict[str, Server], at: Path) -> None:
    for line in commands.splitlines():
        if line.startswith("$ cronium "):
            done = cronium(*line_of_ours(line, fleet)[2:], cwd=at)
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


def test_the_first_steps_work(
    cronium: Cronium, fleet: dict[str, Server], tmp_path: Path
) -> None:
    (commands,) = blocks("first-steps")
    play(commands, cronium, fleet, tmp_path)
    written = yaml.safe_load((tmp_path / "servers.yaml").read_text())
    assert [server["name"] for server in written["servers"]] == ["web-1"]


@pytest.fixture
def inventory(fleet: dict[str, Server], tmp_path: Path) -> Path:
    (text,) = blocks("servers.yaml")
    file = tmp_path / "servers.yaml"
    write_yaml(file, text, fleet)
    return file


def test_targets_can_be_named_in_every_way_of_the_page(
    cronium: Cronium, fleet: dict[str, Server], inventory: Path
) -> None:
    (commands,) = blocks("targets")
    assert commands.count("$ cronium") >= 4
    play(commands, cronium, fleet, inventory.parent)


@pytest.mark.parametrize("event", blocks("event"))
def test_the_events_of_the_page_run(
    event: str, cronium: Cronium, fleet: dict[str, Server], inventory: Path
) -> None:
    file = inventory.parent / "event.yaml"
    data = write_yaml(file, event, fleet)
    done = cronium("run", str(file), "--json", cwd=inventory.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["status"] == "SUCCESS"
    assert result["targets"], "it did not run on servers"
    assert "targets" in data


@pytest.mark.parametrize("text", blocks("server"))
def test_the_servers_of_the_page_can_be_used(
    text: str, cronium: Cronium, fleet: dict[str, Server], tmp_path: Path
) -> None:
    data = write_yaml(tmp_path / "servers.yaml", text, fleet)
    assert data["servers"]
    done = cronium("server", "check", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    done = cronium("run", "-c", "pwd; id -un", "--target", "all", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_as_another_user_the_helper_has_input_and_event_alone(
    cronium: Cronium, fleet: dict[str, Server], tmp_path: Path
) -> None:
    (text,) = [one for one in blocks("server") if "runAs" in one]
    write_yaml(tmp_path / "servers.yaml", text, fleet)
    script = (
        "import os\n"
        "file = open(os.environ['CRONIUM_RUN_DIR'] + '/input.json')\n"
        "print('file', file.read().strip())\n"
        "print('helper', cronium.input())\n"
        "try:\n    cronium.output(1)\n"
        "except Exception as error:\n    print('refused', error)\n"
    )
    done = cronium(
        "run", "-c", script, "--type", "python", "--target", "as-app",
        "--input", '{"a": 1}', cwd=tmp_path,
    )  # fmt: skip
    said = done.stdout.splitlines()
    assert [line.split(" ")[0] for line in said] == ["file", "helper", "refused"], said
    assert json.loads(said[0].removeprefix("file ")) == {"a": 1}
    assert said[1] == "helper {'a': 1}"


def test_the_table_of_failures_has_every_error_and_names_real_tests() -> None:
    table = PAGE.split("## When something fails", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    told = set(re.findall(r"`([A-Z]\w+)`", table))
    kinds = {
        name
        for name, kind in vars(contracts.server_errors).items()
        if isinstance(kind, type)
        and issubclass(kind, SshUnavailable | SshRefused)
        and kind not in (SshUnavailable, SshRefused)
    }
    assert kinds - told == set()
    code = "".join(file.read_text() for file in ROOT.glob("tests/*/test_*.py"))
    for row in rows:
        names = re.findall(r"`(test_\w+)`", row)
        assert names, f"no test: {row}"
        for name in names:
            assert f"def {name}(" in code, name


def test_no_link_to_a_heading_of_the_page_is_broken() -> None:
    words = re.findall(r"^#+ (.+)$", PAGE, re.M)
    headings = {
        re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in words
    }
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for anchor in re.findall(
            r"\]\((?:docs/)?ssh[.]md#([\w-]+)\)", page.read_text()
        ):
            assert anchor in headings, f"{page.name}: {anchor}"
    for anchor in re.findall(r"\]\(#([\w-]+)\)", PAGE):
        assert anchor in headings, anchor


@pytest.fixture
def web(fleet: dict[str, Server], tmp_path: Path) -> Path:
    """The inventory of the examples, on our servers."""
    file = tmp_path / "servers.yaml"
    write_yaml(file, (ROOT / "examples" / "servers.yaml").read_text(), fleet)
    return file


def roll_out(cronium: Cronium, servers: Path, release: str) -> dict[str, Any]:
    done = cronium(
        "run", str(ROOT / "examples" / "rollout.yaml"), "--servers", str(servers),
        "--input", json.dumps({"release": release}), "--json",
    )  # fmt: skip
    assert done.stdout, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_a_rollout_reaches_every_server_and_a_broken_one_only_the_first(
    cronium: Cronium, fleet: dict[str, Server], web: Path
) -> None:
    good = roll_out(cronium, web, "1.0")
    assert (good["status"], good["exitCode"]) == ("SUCCESS", 0), good
    assert set(good["output"]["servers"]) == {"web-1", "web-2", "web-3"}
    bad = roll_out(cronium, web, "2.0-broken")
    statuses = {row["target"]: row["status"] for row in bad["targets"]}
    assert statuses == {"web-1": "FAILURE", "web-2": "SKIPPED", "web-3": "SKIPPED"}
    assert (bad["status"], bad["exitCode"]) == ("FAILURE", 1), bad
    again = roll_out(cronium, web, "1.1")
    assert again["output"]["default"] == {"before": "1.0", "now": "1.1"}


def test_a_staged_rollout_waits_for_a_person_and_goes_back_when_it_fails(
    cronium: Cronium, fleet: dict[str, Server], web: Path
) -> None:
    file = str(ROOT / "examples" / "workflows" / "rollout.yaml")

    def begin(release: str) -> str:
        given = json.dumps({"release": release})
        done = cronium(
            "workflow", "run", file, "--servers", str(web), "--input", given, "-d"
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def until(execution: str, status: str, node: str = "") -> dict[str, str]:
        limit = time.monotonic() + 90
        while time.monotonic() < limit:
            done = cronium("workflow", "show", execution, "--json")
            found = json.loads(done.stdout or "{}")
            rows = {row["node"]: row["status"] for row in found.get("nodes", [])}
            if (rows.get(node) if node else found.get("status")) == status:
                return rows
            time.sleep(0.3)
        raise AssertionError(done.stdout + done.stderr)

    def current() -> set[str]:
        servers = [fleet[f"10.0.0.{number}"] for number in (11, 12, 13)]
        return {one.run("cat", "/home/plain/current-release") for one in servers}

    good = begin("3.0")
    until(good, "RUNNING", "look")
    assert cronium("workflow", "approve", good, "look").returncode == 0
    assert until(good, "SUCCESS")["back"] == "SKIPPED"
    assert current() == {"3.0"}
    refused = begin("3.1")
    until(refused, "RUNNING", "look")
    assert cronium("workflow", "reject", refused, "look").returncode == 0
    assert until(refused, "SUCCESS")["back"] == "SUCCESS"
    assert current() == {"3.0"}
    broken = begin("4.0-broken")
    rows = until(broken, "SUCCESS")
    assert (rows["canary"], rows["look"], rows["back"]) == (
        "FAILURE", "SKIPPED", "SUCCESS",
    )  # fmt: skip
    assert current() == {"3.0"}
