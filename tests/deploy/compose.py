"""A compose project of the tests' own, from images of this machine."""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import yaml
from temporalio.client import Client

from tests.caller import Caller
from tests.chaos.wire import until
from tests.conftest import RUN, pick_port
from tests.remains import remove_remains
from worker.settings import load_settings
from worker.temporal import connect

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.temporal.yml"
COMMAND = str(Path(sys.executable).parent / "cronium")
DEV = ("temporal", "gateway", "guard", "worker")
# Starting takes seconds; machines that run other tests beside this take their time.
HEALTHY_SECONDS = 180.0


def compose_command() -> list[str]:
    """Return the program: a plugin of docker, or one of its own."""
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True)
    return ["docker", "compose"] if plugin.returncode == 0 else ["docker-compose"]


class Project:
    """One profile of the compose file, with ports and directories of its own.

    Args:
        profile: Which.
        directory: Where secrets and copies are kept.
        name: Of the project; unique on this machine.
    """

    def __init__(self, profile: str, directory: Path, name: str) -> None:
        self.name = name
        self.directory = directory
        self.instance = f"{RUN}-{name}"
        # Short, and on a tmpfs as the default is.
        self.run_dir = Path("/run") / name
        self.ports = {
            part: pick_port() for part in ("TEMPORAL", "UI", "GATEWAY", "WORKER")
        }
        self.variables = {
            "COMPOSE_PROJECT_NAME": name,
            "COMPOSE_IGNORE_ORPHANS": "true",
            "EXECUTOR_INSTANCE": self.instance,
            "EXECUTOR_RUN_DIR": str(self.run_dir),
            "EXECUTOR_SECRETS_DIR": str(directory / "secrets"),
            **{f"EXECUTOR_{part}_PORT": str(n) for part, n in self.ports.items()},
        }
        self._command = [*compose_command(), "-f", str(FILE), "--profile", profile]

    def call(
        self, *words: str, version: str = "latest", **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run compose; its words are in the message when it fails."""
        done = self._run([*self._command, *words], version, **options)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done

    def script(self, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one of the scripts in deploy/."""
        return self._run(["sh", str(ROOT / "deploy" / name), *words], "latest")

    def _run(
        self, command: list[str], version: str, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **self.variables, "EXECUTOR_VERSION": version},
            capture_output=True,
            text=True,
            timeout=300,
            **options,
        )

    async def up(self, *words: str, version: str = "latest") -> None:
        """Bring all up and wait until all are well."""
        await asyncio.to_thread(self.call, "up", "-d", *words, version=version)
        await self.healthy()

    async def healthy(self, *parts: str) -> None:
        """Wait until parts say of themselves that they are well."""
        for part in parts or DEV:
            await until(
                lambda part=part: self.health(part) == "healthy",  # type: ignore[misc]
                HEALTHY_SECONDS,
                f"{part} is healthy: {self.logs(part)}",
            )

    def health(self, part: str) -> str:
        """Return what Docker says of a part's health."""
        state = self.inspect(part)["State"]
        return str(state.get("Health", {}).get("Status", state["Status"]))

    def inspect(self, part: str) -> dict[str, Any]:
        """Return the daemon's view of a part; it may be between two lives."""
        client = docker.APIClient(
            base_url="unix:///var/run/docker.sock", version="auto"
        )
        try:
            found = client.containers(
                all=True,
                filters={
                    "label": [
                        f"com.docker.compose.project={self.name}",
                        f"com.docker.compose.service={part}",
                    ]
                },
            )
            if not found:
                return {"State": {"Status": "not there"}}
            with contextlib.suppress(docker.errors.NotFound):
                return dict(client.inspect_container(found[0]["Id"]))
            return {"State": {"Status": "not there"}}
        finally:
            client.close()

    def logs(self, part: str) -> str:
        """Return the end of a part's log."""
        done = self._run([*self._command, "logs", "--tail", "30", part], "latest")
        return done.stdout + done.stderr

    def execute(self, part: str, *words: str) -> str:
        """Return what a program of our user's prints inside a part's container."""
        return self.call("exec", "-T", "-u", "10001", part, *words).stdout

    @property
    def secret(self) -> Path:
        """The gateway's secret, copied out as the page says."""
        file = self.directory / "gateway.secret"
        if not file.exists():
            text = self.execute(
                "gateway", "cat", "/var/lib/cronium-shared/gateway.secret"
            )
            file.touch(mode=0o600)
            file.write_text(text)
        return file

    @property
    def gateway_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['GATEWAY']}"

    @property
    def temporal(self) -> str:
        return f"127.0.0.1:{self.ports['TEMPORAL']}"

    async def connect(self) -> Client:
        """Return a client of its Temporal."""
        settings = load_settings(state_dir=self.directory)
        return await connect(settings, address=self.temporal)

    async def caller(self) -> Caller:
        """Return what a Next.js app would be to it."""
        secret = self.secret.read_text().strip()
        return Caller(await self.connect(), self.gateway_url, secret)

    def cronium(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run the command on the host, outside of all containers."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("CRONIUM_")}
        return subprocess.run(
            [COMMAND, *words],
            env={
                **kept,
                "TEMPORAL_ADDRESS": self.temporal,
                "CRONIUM_GATEWAY_URL": self.gateway_url,
                "CRONIUM_GATEWAY_SECRET_FILE": str(self.secret),
                "CRONIUM_STATE_DIR": str(self.directory / "outside"),
            },
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def sandboxes(self) -> list[dict[str, Any]]:
        """Return the containers of scripts, running or not."""
        client = docker.APIClient(
            base_url="unix:///var/run/docker.sock", version="auto"
        )
        try:
            label = f"io.cronium.instance={self.instance}"
            return list(client.containers(all=True, filters={"label": label}))
        finally:
            client.close()

    def remove(self) -> None:
        """Take everything away."""
        words = ("down", "-v", "-t", "20")
        done = self._run([*self._command, *words], "latest")
        remove_remains(self.instance)
        shutil.rmtree(self.run_dir, ignore_errors=True)
        assert done.returncode == 0, done.stdout + done.stderr


def build_images() -> None:
    """Build the images; quick when nothing has changed."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "images" / "executor.py"), "--own-base"],
        capture_output=True,
        text=True,
        timeout=1500,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@contextlib.contextmanager
def tagged(version: str) -> Iterator[str]:
    """Give the images another version as well."""
    images = ("cronium/executor", "cronium/temporal-dev")
    for image in images:
        subprocess.run(
            ["docker", "tag", f"{image}:latest", f"{image}:{version}"], check=True
        )
    try:
        yield version
    finally:
        for image in images:
            subprocess.run(
                ["docker", "image", "rm", f"{image}:{version}"], capture_output=True
            )


def config_of(profile: str, directory: Path) -> dict[str, Any]:
    """Return a profile as compose understands it."""
    project = Project(profile, directory, "crn-config")
    project.script("secrets.sh", str(directory / "secrets"))
    return dict(yaml.safe_load(project.call("config").stdout))


def lines_of(rows: list[dict[str, Any]], stream: str = "stdout") -> list[str]:
    """Return the texts of one stream of a log."""
    return [row["text"] for row in rows if row["stream"] == stream]


def as_json(text: str) -> dict[str, Any]:
    """Return the JSON that a command printed."""
    return dict(json.loads(text))
