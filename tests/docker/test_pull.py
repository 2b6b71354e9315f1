"""An image that is pulled: from a real registry on loopback."""

import contextlib
import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest

from contracts import names
from engines.docker import DockerConfig, DockerEngine
from tests.conftest import new_instance, pick_port
from tests.docker.conftest import spec_of

REGISTRY = Path(__file__).parents[2] / "build/registry/usr/bin/docker-registry"
CONFIG = """
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {directory}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: Any) -> Iterator[str]:
    """The address of a registry that has nothing yet."""
    if not REGISTRY.exists():
        pytest.fail("docker-registry is missing: run `make test-setup`", pytrace=False)
    directory: Path = tmp_path_factory.mktemp("registry")
    port = pick_port()
    config = directory / "config.yml"
    config.write_text(CONFIG.format(directory=directory / "images", port=port))
    process = subprocess.Popen([REGISTRY, "serve", config])
    try:
        address = f"127.0.0.1:{port}"
        deadline = time.monotonic() + 20
        while not _answers(address):
            assert process.poll() is None, "the registry ended"
            assert time.monotonic() < deadline, "the registry does not answer"
            time.sleep(0.05)
        yield address
    finally:
        process.kill()
        process.wait()


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"http://{address}/v2/").is_success
    except httpx.TransportError:
        return False


@pytest.fixture
def pushed(registry: str, docker_client: docker.APIClient) -> Iterator[str]:
    """The name of an image that only the registry has."""
    name = f"{registry}/runner-{secrets.token_hex(3)}"
    docker_client.tag(names.RUNNER_IMAGE, name, "1")
    for line in docker_client.push(name, "1", stream=True, decode=True):
        assert "error" not in line, line
    docker_client.remove_image(f"{name}:1")
    yield f"{name}:1"
    with contextlib.suppress(docker.errors.ImageNotFound):
        docker_client.remove_image(f"{name}:1", force=True)


@pytest.mark.parametrize("policy", ["missing", "always"])
async def test_an_image_that_is_not_here_is_pulled_and_run(
    policy: Any, pushed: str, docker_client: docker.APIClient, tmp_path: Path
) -> None:
    engine = DockerEngine(
        DockerConfig(
            run_directory=tmp_path, pull_policy=policy, instance=new_instance()
        )
    )
    sandbox = await engine.create(spec_of("exit 5", image=pushed))
    try:
        assert (
            docker_client.inspect_container(sandbox.name)["Config"]["Image"] == pushed
        )
        await sandbox.start()
        assert (await sandbox.exited).code == 5
    finally:
        await engine.remove(sandbox)
        engine.close()


async def test_a_tag_that_the_registry_does_not_have_is_said(
    pushed: str, tmp_path: Path
) -> None:
    engine = DockerEngine(DockerConfig(run_directory=tmp_path, instance=new_instance()))
    missing = pushed.removesuffix(":1") + ":2"
    with pytest.raises(Exception, match=r"not found|unknown") as told:
        await engine.create(spec_of("true", image=missing))
    assert missing in str(told.value)
    engine.close()
