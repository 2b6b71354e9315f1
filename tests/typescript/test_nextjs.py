"""The Next.js example in a real browser, with two real servers.

With CRONIUM_SCREENSHOTS=1 the pictures of docs/images are made anew.
"""

import contextlib
import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.conftest import pick_port
from tests.ssh.ground import Ground, key_text, public_text
from tests.typescript.conftest import (
    ROOT,
    build_once,
    checked,
    digest_of,
    environment,
    kept_environment,
)

APP = ROOT / "examples" / "nextjs"
SOURCES = ("app", "components", "lib", "next.config.mjs", "package-lock.json")
IMAGES = ROOT / "docs" / "images"
MOST_BYTES = 150_000
"""Of a picture: pages load several."""
UP_SECONDS = 60.0
# Ten to thirty on a machine with nothing else to do.
BUILD_SECONDS = 400
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def built(client: Path) -> Path:
    """The app, built from the sources as they are."""
    if not (APP / "node_modules").exists():
        pytest.fail("npm packages are missing: run `make test-setup`", pytrace=False)
    build_once(
        APP / ".next-stamp" / "build",
        digest_of(*(APP / name for name in SOURCES), client / "src"),
        lambda: checked(
            *("npm", "run", "build"),
            cwd=APP,
            env=kept_environment(),
            seconds=BUILD_SECONDS,
        ),
    )
    return APP


@pytest.fixture(scope="module")
def servers(docker_client: docker.APIClient, state: Path) -> Iterator[Path]:
    """A file with two servers, whose key the worker has as a secret."""
    with contextlib.closing(Ground(docker_client)) as ground:
        (state / "secrets" / "DEPLOY_KEY").write_text(key_text(ground.user_key))
        listed = []
        for name in ("web-1", "web-2"):
            server = ground.server()
            listed.append(
                {
                    "id": name,
                    "name": name,
                    "address": server.address,
                    "username": "plain",
                    "credentials": {"key": {"secret": "DEPLOY_KEY"}},
                    "hostKeys": [public_text(server.host_key)],
                }
            )
        file = state / "servers.json"
        file.write_text(json.dumps(listed))
        yield file


@pytest.fixture(scope="module")
def app(built: Path, state: Path, servers: Path) -> Iterator[str]:
    """The address of the app, started as its users start it."""
    port = pick_port()
    url = f"http://127.0.0.1:{port}"
    log = state / "app.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [
                *("node", "node_modules/next/dist/bin/next", "start"),
                *("--port", str(port), "--hostname", "127.0.0.1"),
            ],
            cwd=built,
            env={**environment(state), "CRONIUM_SERVERS_FILE": str(servers)},
            stdout=said,
            stderr=said,
        )
    try:
        wait_until_up(process, f"{url}/api/runs", log)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def wait_until_up(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + UP_SECONDS
    while True:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=10):
            return
        ended = process.poll() is not None or time.monotonic() > deadline
        assert not ended, log.read_text()
        time.sleep(0.1)


def test_the_app_runs_shows_cancels_and_loses_nothing(app: str, tmp_path: Path) -> None:
    done = subprocess.run(
        ["node", "--test", "--test-timeout=300000", "test/app.test.mjs"],
        cwd=APP,
        env={**kept_environment(), "APP_URL": app, "SCREENSHOTS": str(tmp_path)},
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    made = sorted(tmp_path.glob("*.png"))
    for file in made:
        assert file.stat().st_size < MOST_BYTES, file.name
        if os.environ.get("CRONIUM_SCREENSHOTS"):
            shutil.copy(file, IMAGES)
    kept = sorted(file.name for file in IMAGES.glob("nextjs-*.png"))
    assert kept == [file.name for file in made]


def test_no_temporal_code_reaches_the_browser(built: Path) -> None:
    for file in (built / ".next" / "static").rglob("*.js"):
        text = file.read_text()
        for word in ("temporalio", "grpc", "createHmac"):
            assert word not in text, f"{word} in {file.name}"


def test_the_app_is_typed(built: Path) -> None:
    checked("npm", "run", "--silent", "typecheck", cwd=built, env=kept_environment())
