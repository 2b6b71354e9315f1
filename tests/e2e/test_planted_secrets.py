"""Secrets of every kind go through the whole product, and are nowhere afterwards.

Three events: a script in a container with a message and a callback, a request, a script
on a server. Their secrets come as names (from files, and from the app over HTTP) and,
since payloads are encrypted here, in the requests themselves. Then everything that
anybody stores or shows is searched.
"""

import asyncio
import base64
import contextlib
import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

import asyncssh
import docker
import pytest
from temporalio.client import Client, WorkflowHandle

from contracts import names
from contracts.results import ExecutionResult, Status
from gateway.tokens import load_or_create_secret
from tests.caller import Caller, event
from tests.e2e.conftest import COMMAND, Cronium, Listening, Receiver, environment
from tests.e2e.planted import Search, forms_of
from tests.ssh.ground import Ground, Server, key_text
from worker.settings import load_settings
from worker.temporal import connect

# What must be found, or the search would be blind.
VISIBLE_ID, VISIBLE_LINE = "visible-event", "a line that may be seen"
UI_MARK = "X-Shown-By-The-Web-Ui"
# In every script: Temporal has it encrypted alone.
SCRIPT_MARK = "mark-of-the-script"
TELL = f"""
: {SCRIPT_MARK}
echo "{VISIBLE_LINE}"
for name in FROM_FILE FROM_APP; do
  value=$(printenv $name)
  echo "plain $value"
  printf '%s' "$value" | base64 -w0; echo
  printf '%s' "$value" | od -An -tx1 | tr -d ' \\n'; echo
done
[ -n "$PLAIN" ] || exit 9
echo up >&2
sleep 5
"""


def random_secret(word: str) -> str:
    """A secret with characters that each encoding writes in another way."""
    return f"{word}/{secrets.token_hex(9)}+ü&x"


@dataclass
class App:
    """The app's side: gives secrets out to whoever has the token."""

    url: str
    token: str
    asked: list[str]


@dataclass
class Plant:
    """A stack with encryption, all that it talks to, and what must stay secret."""

    state: Path
    env: dict[str, str]
    client: Client
    caller: Caller
    app: App
    secrets: dict[str, str]

    def cronium(self, *arguments: str) -> str:
        done = subprocess.run(
            [COMMAND, *arguments], env=self.env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @property
    def parts(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.state / "dev.json").read_text())
        return found


@pytest.fixture(scope="module")
def planted() -> dict[str, str]:
    words = (
        "from_file", "from_app", "plain_env", "inline_bearer", "message_password",
        "callback_header", "callback_key", "ssh_password", "service_token",
    )  # fmt: skip
    return {word: random_secret(word.replace("_", "-")) for word in words} | {
        # These go into headers, URLs and crypt(3).
        "service_token": secrets.token_urlsafe(24),
        "inline_bearer": secrets.token_urlsafe(24),
        "callback_header": secrets.token_urlsafe(24),
        "message_password": secrets.token_urlsafe(24),
        "ssh_password": secrets.token_urlsafe(24),
    }


@pytest.fixture(scope="module")
def app(planted: dict[str, str]) -> Iterator[App]:
    class Secrets(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            asked.append(name)
            good = self.headers["Authorization"] == f"Bearer {planted['service_token']}"
            known = {"FROM_APP": planted["from_app"], "KEY": planted["callback_key"]}
            status = 401 if not good else 200 if name in known else 404
            body = json.dumps({"value": known.get(name)}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Secrets)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/secrets"
    yield App(url, planted["service_token"], asked)
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def server(
    docker_client: docker.APIClient, planted: dict[str, str]
) -> Iterator[Server]:
    ground = Ground(docker_client)
    try:
        made = ground.server()
        crypted = subprocess.run(
            ["openssl", "passwd", "-6", "-stdin"],
            input=planted["ssh_password"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        made.run("usermod", "-p", crypted, "plain")
        yield made
    finally:
        ground.close()


@pytest.fixture(scope="module")
def started(
    docker_client: docker.APIClient,
    temporal_binary: str,
    tmp_path_factory: Any,
    planted: dict[str, str],
    app: App,
) -> Iterator[tuple[Path, dict[str, str]]]:
    """A stack of processes; yields its state directory and environment."""
    state: Path = tmp_path_factory.mktemp("planted") / "state"
    hidden = state.parent / "hidden"
    (hidden / "secrets").mkdir(parents=True)
    (hidden / "secrets/FROM_FILE").write_text(planted["from_file"])
    (hidden / "token").write_text(app.token)
    state.mkdir()
    env = {
        **environment(state),
        "CRONIUM_INSTANCE": f"planted-{os.getpid()}",
        "CRONIUM_SECRETS_DIRECTORY": str(hidden / "secrets"),
        "CRONIUM_SECRETS_URL": app.url,
        "CRONIUM_SECRETS_TOKEN_FILE": str(hidden / "token"),
        "CRONIUM_ENCRYPTION_KEYS_FILE": str(hidden / "keys.json"),
    }
    for arguments in (["keys", "generate"], ["dev", "--background"]):
        done = subprocess.run(
            [COMMAND, *arguments], env=env, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
    yield state, env
    subprocess.run([COMMAND, "down"], env=env, check=True, timeout=90)
    ours = {"label": f"{names.LABEL_INSTANCE}={env['CRONIUM_INSTANCE']}"}
    for found in docker_client.containers(all=True, filters=ours):
        docker_client.remove_container(found["Id"], force=True)
    for found in docker_client.networks(filters=ours):
        docker_client.remove_network(found["Id"])


@pytest.fixture(scope="module")
async def plant(
    started: tuple[Path, dict[str, str]], planted: dict[str, str], app: App
) -> Plant:
    state, env = started
    record = json.loads((state / "dev.json").read_text())
    settings = load_settings(
        state_dir=state,
        encryption={"keys_file": env["CRONIUM_ENCRYPTION_KEYS_FILE"]},
    )
    client = await connect(settings, record["temporal"])
    secret = load_or_create_secret(state / "gateway.secret")
    caller = Caller(client, record["gateway"], secret)
    return Plant(state, env, client, caller, app, planted)


def in_a_container(planted: dict[str, str], receiver: Listening) -> dict[str, Any]:
    """A script that prints its secrets, and tells two receivers with secrets."""
    address = f"json://me:{planted['message_password']}@127.0.0.1:{receiver.port}/m"
    return event(
        TELL,
        id=VISIBLE_ID,
        env=[
            {"name": "FROM_FILE", "secret": "FROM_FILE"},
            {"name": "FROM_APP", "secret": "FROM_APP"},
            {"name": "PLAIN", "value": planted["plain_env"]},
        ],
        actions=[
            {"kind": "message", "targets": [{"url": address}], "body": "done"},
            {
                "kind": "callback",
                "url": f"{receiver.url}/callback",
                "secret": "KEY",
                "headers": {"Authorization": planted["callback_header"]},
            },
        ],
    )


def over_http(planted: dict[str, str], receiver: Listening) -> dict[str, Any]:
    return event(
        None,
        id="request",
        type="http_request",
        http={
            "method": "POST",
            "url": f"{receiver.url}/request",
            "auth": {"kind": "bearer", "token": planted["inline_bearer"]},
            "headers": {UI_MARK: "yes"},
            "body": {"kind": "json", "content": {"a": {"secret": "FROM_APP"}}},
        },
    )


def on_servers(server: Server, planted: dict[str, str]) -> dict[str, Any]:
    by_key = server.spec(name="by-key", id="by-key")
    by_password = server.spec(
        name="by-password",
        id="by-password",
        credentials={"password": {"value": planted["ssh_password"]}},
    )
    targets = [
        one.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        for one in (by_key, by_password)
    ]
    return event(
        TELL,
        id="servers",
        targets=targets,
        env=[
            {"name": "FROM_FILE", "secret": "FROM_FILE"},
            {"name": "FROM_APP", "secret": "FROM_APP"},
            {"name": "PLAIN", "value": planted["plain_env"]},
        ],
    )


def parts_of_key(key: asyncssh.SSHKey) -> dict[str, str]:
    """The lines of a private key that have something to tell."""
    lines = key_text(key).splitlines()[1:-1]
    # The first one is the same in every key of this form.
    return {f"line {n} of the SSH key": line for n, line in enumerate(lines) if n > 1}


@dataclass
class Left:
    """What was left after everything had run."""

    search: Search
    handles: dict[str, WorkflowHandle[Any, ExecutionResult]]
    results: dict[str, ExecutionResult]
    lines: list[dict[str, Any]]
    received: list[Any]


@pytest.fixture(scope="module")
async def left(plant: Plant, server: Server, docker_client: docker.APIClient) -> Left:
    """Run it all, and look while it runs and afterwards."""
    planted = plant.secrets
    key = server.ground.user_key
    file = Path(plant.env["CRONIUM_ENCRYPTION_KEYS_FILE"])
    own = json.loads(await asyncio.to_thread(file.read_text))["keys"][0]["key"]
    search = Search({**planted, **parts_of_key(key), "encryption key": own})
    with listening() as receiver:
        bodies = {
            "container": in_a_container(planted, receiver),
            "servers": on_servers(server, planted),
            "request": over_http(planted, receiver),
        }
        handles = {
            name: await plant.caller.start(body, input={"n": 1})
            for name, body in bodies.items()
        }
        await look_while_it_runs(plant, handles, docker_client, search)
        results = {name: await handle.result() for name, handle in handles.items()}
        lines = [
            line
            for handle in handles.values()
            for line in await plant.caller.logs(names.execution_of(handle.id) or "")
        ]
        received = list(receiver.seen)
    await look_afterwards(plant, handles, server, search)
    return Left(search, handles, results, lines, received)


async def look_while_it_runs(
    plant: Plant,
    handles: dict[str, WorkflowHandle[Any, Any]],
    client: docker.APIClient,
    search: Search,
) -> None:
    execution = names.execution_of(handles["container"].id)
    label = {"label": f"{names.LABEL_EXECUTION}={execution}"}
    beats: dict[str, int] = {}
    async with asyncio.timeout(60):
        while min(beats.get("container", 0), beats.get("servers", 0)) < 2:
            for name, handle in handles.items():
                described = await handle.describe()
                for pending in described.raw_description.pending_activities:
                    details = pending.heartbeat_details.payloads
                    if details:
                        beats[name] = beats.get(name, 0) + 1
                        opened = await plant.client.data_converter.decode(details)
                        search.bytes("heartbeats", json.dumps(opened).encode())
            await asyncio.sleep(0.2)
    for found in client.containers(all=True, filters=label):
        whole = json.dumps(client.inspect_container(found["Id"]), ensure_ascii=False)
        search.bytes("docker inspect", whole.encode())
        top = client.top(found["Id"], "-eo pid,args")
        search.bytes("docker top", json.dumps(top).encode())
    search.processes()
    state = plant.state
    search.tree("while it runs", state, without=(state / "run",))


async def look_afterwards(
    plant: Plant,
    handles: dict[str, WorkflowHandle[Any, Any]],
    server: Server,
    search: Search,
) -> None:
    search.tree("state directory", plant.state)
    for name in ("temporal.db", "gateway.db", "dev.log"):
        search.bytes(name, (plant.state / name).read_bytes())
    for handle in handles.values():
        async for item in handle.fetch_history_events():
            search.bytes("histories", item.SerializeToString())
        described = (await handle.describe()).raw_description
        search.bytes("descriptions", described.SerializeToString())
    for place in ("/tmp", "/home", "/var/log", "/root"):
        stream, _ = server.ground.client.get_archive(server.container, place)
        search.bytes("files of the server", b"".join(stream))
    search.processes()


@contextlib.contextmanager
def listening() -> Iterator[Listening]:
    """A receiver of messages, callbacks and requests."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.seen = []  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Listening(server.server_port, server.seen)  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_everything_ran_with_its_secrets(left: Left, planted: dict[str, str]) -> None:
    errors = [result.error for result in left.results.values()]
    assert {result.status for result in left.results.values()} == {Status.SUCCESS}, (
        errors
    )
    assert all(row.status is Status.SUCCESS for row in left.results["servers"].targets)
    seen = {taken.path: taken for taken in left.received}
    assert set(seen) == {"/m", "/callback", "/request"}
    said = {path: taken.headers["Authorization"] for path, taken in seen.items()}
    password = base64.b64encode(f"me:{planted['message_password']}".encode()).decode()
    assert said == {
        "/m": f"Basic {password}",
        "/callback": planted["callback_header"],
        "/request": f"Bearer {planted['inline_bearer']}",
    }
    assert json.loads(seen["/request"].body) == {"a": planted["from_app"]}


def test_no_secret_is_left_anywhere(left: Left) -> None:
    assert left.search.found == []


def test_the_search_looked_at_every_place_and_sees(left: Left, plant: Plant) -> None:
    looked = left.search.looked_at
    places = {
        "heartbeats", "docker inspect", "docker top", "command lines", "environments",
        "while it runs", "state directory", "temporal.db", "gateway.db", "dev.log",
        "histories", "descriptions", "files of the server",
    }  # fmt: skip
    assert {place for place, size in looked.items() if size} == places
    seeing = Search({"id": VISIBLE_ID, "line": VISIBLE_LINE, "mark": SCRIPT_MARK})
    for name in ("temporal.db", "gateway.db"):
        seeing.bytes(name, b"".join(
            file.read_bytes() for file in plant.state.glob(f"{name}*")
        ))  # fmt: skip
    visible = {"temporal.db: id as plain", "gateway.db: line as plain"}
    assert visible <= set(seeing.found)
    # The same search finds a script in Temporal when nothing is encrypted; see below.
    assert "temporal.db: mark as plain" not in seeing.found


def test_what_a_script_prints_of_its_secrets_is_masked(left: Left) -> None:
    told = [line["text"] for line in left.lines if line["text"].startswith("plain ")]
    assert told == ["plain ***"] * len(told)
    assert len(told) == 6, "two secrets, in a container and on two logins of a server"


def test_a_secret_is_asked_of_the_app_once_and_kept_in_memory(
    left: Left, plant: Plant
) -> None:
    assert set(plant.app.asked) == {"FROM_APP", "KEY"}


def test_without_encryption_the_same_search_finds_the_script(
    cronium: Cronium, state: Path
) -> None:
    assert cronium("run", "-c", f": {SCRIPT_MARK}").returncode == 0
    search = Search({"mark": SCRIPT_MARK})
    for file in state.glob("temporal.db*"):
        search.bytes("temporal.db", file.read_bytes())
    assert "temporal.db: mark as plain" in search.found


def test_without_encryption_the_command_sends_no_credential(
    cronium: Cronium, tmp_path: Path
) -> None:
    file = tmp_path / "request.yaml"
    file.write_text(
        "name: request\ntype: http_request\nhttp:\n  url: https://example.invalid/\n"
        "  auth: {kind: bearer, token: planted-token}\n"
    )
    before = cronium("list", "--json").stdout
    done = cronium("run", str(file))
    assert done.returncode == 2
    assert "event.http.auth.token.value" in done.stderr
    assert "CRONIUM_ENCRYPTION_KEYS_FILE" in done.stderr
    assert "planted-token" not in done.stderr + done.stdout
    assert cronium("list", "--json").stdout == before


def show(plant: Plant, left: Left, binary: str, *options: str) -> str:
    """Return a history as Temporal's own command shows it."""
    done = subprocess.run(
        [
            binary, "workflow", "show", "-w", left.handles["container"].id,
            "--address", plant.parts["temporal"], "--output", "json", *options,
        ],
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def shows_script(text: str) -> bool:
    search = Search({"mark": SCRIPT_MARK})
    search.bytes("shown", text.encode())
    return bool(search.found)


def test_temporals_own_command_shows_plain_text_through_the_codec_server(
    plant: Plant, left: Left, temporal_binary: str
) -> None:
    assert not shows_script(show(plant, left, temporal_binary))
    endpoint = ("--codec-endpoint", plant.parts["codec"])
    token = plant.cronium("codec", "token")
    shown = show(
        plant, left, temporal_binary, *endpoint, "--codec-auth", f"Bearer {token}"
    )
    assert shows_script(shown)


def test_the_web_ui_shows_plain_text_in_a_browser_of_the_same_user(
    plant: Plant, left: Left, tmp_path: Path
) -> None:
    handle = left.handles["request"]
    page = (
        f"{plant.parts['ui']}/namespaces/default/workflows/{quote(handle.id, safe='')}"
        f"/{handle.result_run_id}/timeline"
    )
    # A budget of time that goes by quickly while nothing is waited for from the
    # network; on a slow machine the page is not there at its end, so it is tried again.
    for milliseconds in (20_000, 60_000, 180_000):
        done = subprocess.run(
            [
                "chromium", "--headless", "--no-sandbox", "--disable-gpu",
                f"--user-data-dir={tmp_path}", "--window-size=1400,1200",
                f"--virtual-time-budget={milliseconds}", "--dump-dom", page,
            ],
            capture_output=True,
            text=True,
            timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        if UI_MARK in done.stdout:
            break
    assert UI_MARK in done.stdout
    assert "binary/encrypted" not in done.stdout


def test_the_command_lists_keys_without_their_values(plant: Plant) -> None:
    (key,) = json.loads(plant.cronium("keys", "list", "--json"))
    assert key["active"]
    file = Path(plant.env["CRONIUM_ENCRYPTION_KEYS_FILE"])
    value = json.loads(file.read_text())["keys"][0]["key"]
    assert value not in plant.cronium("keys", "list", "--json")
    assert value not in plant.cronium("keys", "list")


@pytest.mark.parametrize("form", list(forms_of("some-secret/that is long+enough")))
def test_each_form_of_a_secret_would_be_found(form: str) -> None:
    secret = "some-secret/that is long+enough"
    search = Search({"it": secret})
    search.bytes("here", b"ab" + forms_of(secret)[form] + b"cd")
    assert f"here: it as {form}" in search.found
