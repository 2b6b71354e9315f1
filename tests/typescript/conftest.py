"""The npm packages, built from this checkout, and a stack of processes beside them."""

import contextlib
import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from contracts.names import LABEL_INSTANCE

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "clients" / "typescript"
COMMAND = str(Path(sys.executable).parent / "cronium")
Node = Callable[..., subprocess.CompletedProcess[str]]


def kept_environment() -> dict[str, str]:
    """Our own environment without settings of the executor, and without telemetry."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CRONIUM_", "TEMPORAL_"))
    }
    # The command of this checkout, before any other.
    path = f"{Path(COMMAND).parent}{os.pathsep}{kept.get('PATH', '')}"
    return {**kept, "PATH": path, "NEXT_TELEMETRY_DISABLED": "1", "NO_COLOR": "1"}


def environment(state: Path) -> dict[str, str]:
    """What makes a command use the stack of a state directory, and no other."""
    return {
        **kept_environment(),
        "CRONIUM_STATE_DIR": str(state),
        "CRONIUM_DOCKER_RUN_DIR": str(state / "run"),
        "CRONIUM_INSTANCE": f"ts-{os.getpid()}",
        "CRONIUM_HTTP_ALLOWED_HOSTS": "127.0.0.1",
        "CRONIUM_SECRETS_DIRECTORY": str(state / "secrets"),
        "PYTHONUNBUFFERED": "1",
    }


def checked(*command: str, cwd: Path, seconds: int = 170, **options: Any) -> str:
    """Run a command that must succeed; what it said is in the failure otherwise."""
    done = subprocess.run(
        command, cwd=cwd, text=True, capture_output=True, timeout=seconds, **options
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def digest_of(*parts: Path) -> str:
    """Return a digest of files, and of all files in directories."""
    files = [f for part in parts for f in ([part] if part.is_file() else _below(part))]
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def _below(directory: Path) -> list[Path]:
    return sorted(file for file in directory.rglob("*") if file.is_file())


def build_once(stamp: Path, digest: str, build: Callable[[], object]) -> None:
    """Build unless it was built from the same sources; one process at a time."""
    stamp.parent.mkdir(exist_ok=True)
    with stamp.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != digest:
            build()
            stamp.write_text(digest)


@pytest.fixture(scope="package")
def client() -> Path:
    """The client's directory, with a fresh build in `dist`."""
    if not (CLIENT / "node_modules").exists():
        pytest.fail("npm packages are missing: run `make test-setup`", pytrace=False)
    digest = digest_of(
        CLIENT / "src", CLIENT / "tsconfig.json", CLIENT / "package-lock.json"
    )
    build_once(
        CLIENT / "build" / "dist.stamp",
        digest,
        lambda: checked("npm", "run", "--silent", "build", cwd=CLIENT),
    )
    return CLIENT


@contextlib.contextmanager
def running(
    docker_client: docker.APIClient, directory: Path, env: dict[str, str]
) -> Iterator[Path]:
    """A background stack with its state in a directory; nothing stays of it."""
    (directory / "secrets").mkdir()
    checked(COMMAND, "dev", "--background", cwd=directory, env=env)
    yield directory
    checked(COMMAND, "down", cwd=directory, env=env)
    # A worker keeps its network for its next start.
    ours = {"label": f"{LABEL_INSTANCE}={env['CRONIUM_INSTANCE']}"}
    for network in docker_client.networks(filters=ours):
        docker_client.remove_network(network["Id"])


@pytest.fixture(scope="package")
def state(
    docker_client: docker.APIClient, temporal_binary: str, tmp_path_factory: Any
) -> Iterator[Path]:
    """The state directory of a background stack."""
    directory: Path = tmp_path_factory.mktemp("state")
    with running(docker_client, directory, environment(directory)):
        yield directory


@pytest.fixture(scope="package")
def encrypted_state(
    docker_client: docker.APIClient, temporal_binary: str, tmp_path_factory: Any
) -> Iterator[Path]:
    """The same with payloads that are encrypted."""
    directory: Path = tmp_path_factory.mktemp("encrypted")
    env = {
        **environment(directory),
        "CRONIUM_ENCRYPTION_KEYS_FILE": str(directory / "keys.json"),
        # Beside the other stack of this process.
        "CRONIUM_INSTANCE": f"ts-encrypted-{os.getpid()}",
    }
    checked(COMMAND, "keys", "generate", cwd=directory, env=env)
    with running(docker_client, directory, env):
        yield directory
