"""Stack and worker as processes: start, health, signals, restarts."""

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import new_instance, pick_port
from tests.e2e.conftest import COMMAND, Cronium, environment


def wait_for(url: str, status: int, seconds: float = 60) -> dict[str, Any]:
    """Return the body once a URL answers with a status."""
    deadline = time.monotonic() + seconds
    seen: object = None
    while time.monotonic() < deadline:
        try:
            reply = httpx.get(url, timeout=2)
            seen = reply.text
            if reply.status_code == status:
                body: dict[str, Any] = reply.json()
                return body
        except httpx.HTTPError as error:
            seen = error
        time.sleep(0.1)
    pytest.fail(f"{url} did not answer {status}: {seen}")


def test_dev_stops_cleanly_and_keeps_its_state(tmp_path: Path) -> None:
    env = {**environment(tmp_path), "CRONIUM_INSTANCE": new_instance("dev")}
    execution = "kept-over-restart"
    for round_number in (1, 2):
        process = subprocess.Popen(
            [COMMAND, "dev"],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        file = tmp_path / "dev.json"
        deadline = time.monotonic() + 60
        ready = ["status", execution] if round_number == 2 else ["list"]
        while time.monotonic() < deadline:
            if file.exists():
                asked = subprocess.run(
                    [COMMAND, *ready], env=env, capture_output=True, text=True
                )
                if asked.returncode == 0:
                    break
            time.sleep(0.2)
        else:
            process.kill()
            pytest.fail("the stack did not start")
        if round_number == 1:
            subprocess.run(
                [COMMAND, "run", "-c", "echo hi", "--execution-id", execution],
                env=env,
                check=True,
                capture_output=True,
                timeout=60,
            )
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=40)
        assert process.returncode == 0, output
        assert "Traceback" not in output


def test_a_worker_without_docker_says_why_it_is_not_ready(
    state: Path, tmp_path: Path
) -> None:
    port = pick_port()
    address = json.loads((state / "dev.json").read_text())
    temporal = next(
        str(value)
        for value in _values(address)
        if str(value).startswith("127.0.0.1:") or str(value).startswith("localhost:")
    )
    env = {
        **environment(tmp_path),
        "CRONIUM_TEMPORAL_ADDRESS": temporal,
        "CRONIUM_DOCKER_SOCKET": str(tmp_path / "none.sock"),
        "CRONIUM_WORKER_HEALTH_PORT": str(port),
        "CRONIUM_ROLE": "host",
    }
    process = subprocess.Popen(
        [COMMAND, "worker"], env=env, stderr=subprocess.PIPE, text=True
    )
    try:
        base = f"http://127.0.0.1:{port}"
        assert wait_for(f"{base}/live", 200)["status"] == "ok"
        deadline = time.monotonic() + 30
        problems: dict[str, str] = {}
        while "none.sock" not in str(problems) and time.monotonic() < deadline:
            problems = wait_for(f"{base}/ready", 503)["problems"]
            time.sleep(0.1)
        assert "none.sock" in problems["docker"]
        assert "cronium_job_slots" in httpx.get(f"{base}/metrics").text
    finally:
        process.terminate()
    assert process.wait(20) == 0


def test_two_workers_do_not_share_a_state_directory(
    state: Path, cronium: Cronium
) -> None:
    done = cronium("worker")
    assert done.returncode == 1
    assert "CRONIUM_STATE_DIR" in done.stderr


def _values(data: Any) -> list[Any]:
    if isinstance(data, dict):
        return [leaf for value in data.values() for leaf in _values(value)]
    return [data]
