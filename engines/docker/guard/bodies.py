"""The bodies of the calls that make something, compared with what we would have sent.

The engine itself is asked: from the few parts of a body that may vary it makes the body
anew, and any difference is refused. So a rule that is added to the sandbox's profile is
a rule here as well.
"""

import os
import re
from ipaddress import IPv4Network
from typing import Any

from contracts import names
from contracts.events import Network, Resources
from contracts.limits import MIB
from engines.docker import proof, sandbox, standby
from engines.docker.engine import DockerConfig, DockerEngine
from engines.docker.guard.errors import CallRefused
from engines.places import NAME_PREFIX

NAME = re.compile(rf"{NAME_PREFIX}(?:probe|warm-)?[0-9a-f]{{16,64}}")
PROBE = NAME_PREFIX + "probe"
TMPFS = re.compile(r"rw,nosuid,nodev,(?:no)?exec,size=(\d{1,5})m,mode=1777")
COMMANDS = (
    sandbox.COMMAND,
    standby.COMMAND,
    *(
        ["/bin/sh", "-c", script]
        for script in (proof.RULES_SCRIPT, proof.MEMORY_SCRIPT, proof.PIDS_SCRIPT)
    ),
)
NETWORK_LABELS = {
    names.LABEL_INSTANCE, names.LABEL_ROLE, names.LABEL_OWNER, names.LABEL_VIEW,
}  # fmt: skip
KEY = re.compile(r"[A-Za-z0-9_./-]{1,60}")


def check_container(engine: DockerEngine, name: str, body: Any) -> None:
    """Refuse a container that is not one of our sandboxes.

    Args:
        engine: Ours, with the settings that the worker has.
        name: What it is to be called.
        body: The JSON of the create call.

    Raises:
        CallRefused: The message has the path of the first part that differs.
    """
    check_name(name)
    host = _mapping(_mapping(body, "body").get("HostConfig"), "HostConfig")
    command = body.get("Entrypoint")
    if command not in COMMANDS:
        raise CallRefused("Entrypoint: none of the programs that we start")
    if not isinstance(body.get("Image"), str):
        raise CallRefused("Image: expected a name")
    egress = host.get("NetworkMode") != "none"
    expected = engine.container_config(
        image=body["Image"],
        command=command,
        resources=_resources(engine.config, host),
        network=Network.EGRESS if egress else Network.NONE,
        run_directory=_run_directory(engine.config, name),
        labels=_labels(engine.config, body.get("Labels")),
    )
    # A fraction of a processor does not come back from nanoseconds to the digit.
    expected["HostConfig"]["NanoCpus"] = host["NanoCpus"]
    _same(expected, body, "")


def check_name(name: str) -> None:
    """Refuse a name that is not one of a sandbox of ours. Raises CallRefused."""
    if not NAME.fullmatch(name):
        raise CallRefused("?name= is not one of a sandbox of ours")


def check_network(engine: DockerEngine, body: Any) -> None:
    """Refuse a network that is not our egress network. Raises CallRefused."""
    if engine.config.egress == "off":
        raise CallRefused("egress is switched off")
    try:
        subnet = IPv4Network(body["IPAM"]["Config"][0]["Subnet"])
    except (TypeError, LookupError, ValueError):
        raise CallRefused("IPAM.Config: expected one IPv4 subnet") from None
    pools = map(IPv4Network, engine.config.egress_pool)
    if not any(subnet.subnet_of(pool) for pool in pools):
        raise CallRefused("IPAM.Config: outside of docker.egress_pool")
    labels = _mapping(body.get("Labels"), "Labels")
    _texts(labels, "Labels")
    expected = engine.network.body(subnet)
    if set(labels) - NETWORK_LABELS:
        raise CallRefused("Labels: some are not ours")
    # File and view of the owner are the worker's, which lives in other namespaces.
    expected["Labels"] = {**labels, **expected["Labels"]}
    _same(expected, body, "")


def check_source(config: DockerConfig, source: str) -> None:
    """Refuse a directory that is not one of a run's own.

    The daemon follows links, and the run directory is the worker's to write: a link in
    it would be a way to every file of the host. Raises CallRefused.
    """
    parent = os.path.realpath(config.run_directory)
    real = os.path.join(parent, os.path.basename(source))
    if os.path.realpath(source) != real or not os.path.isdir(real):
        raise CallRefused(
            "Mounts: not a directory of a run, or the guard does not see it",
            hint="Mount docker.run_dir into the guard's container as well.",
        )


def _run_directory(config: DockerConfig, name: str) -> str | None:
    if name.startswith(PROBE):
        return None
    source = str(config.run_directory / name.removeprefix(NAME_PREFIX))
    check_source(config, source)
    return source


def _resources(config: DockerConfig, host: dict[str, Any]) -> Resources:
    tmp = TMPFS.fullmatch(str(_mapping(host.get("Tmpfs"), "Tmpfs").get("/tmp")))
    if tmp is None:
        raise CallRefused("HostConfig.Tmpfs: not what we mount at /tmp")
    numbers = [host.get(name) for name in ("Memory", "NanoCpus", "PidsLimit")]
    if not all(type(number) is int for number in numbers):
        raise CallRefused("HostConfig: Memory, NanoCpus and PidsLimit must be numbers")
    memory, cpus, pids = (int(number or 0) for number in numbers)
    limits = {
        "Memory": (memory, config.max_memory_mb * MIB),
        "NanoCpus": (cpus, config.max_cpus * 1e9),
        "PidsLimit": (pids, config.max_pids),
        "Tmpfs": (int(tmp[1]), config.max_tmp_mb),
    }
    for name, (wanted, ceiling) in limits.items():
        if wanted > ceiling:
            raise CallRefused(f"HostConfig.{name}: above what the operator allows")
    try:
        return Resources(
            memory_mb=memory // MIB, cpus=cpus / 1e9, pids=pids, tmp_mb=int(tmp[1])
        )
    except ValueError:
        raise CallRefused("HostConfig: limits that no event can have") from None


def _labels(config: DockerConfig, given: Any) -> dict[str, str]:
    labels = _mapping(given, "Labels")
    _texts(labels, "Labels")
    if labels.get(names.LABEL_INSTANCE) != config.instance:
        raise CallRefused("Labels: not of this instance")
    if not all(key.startswith(names.LABEL_PREFIX) for key in labels):
        raise CallRefused("Labels: some are not ours")
    return labels


def _mapping(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise CallRefused(f"{path}: expected keys and values")
    return value


def _texts(labels: dict[str, Any], path: str) -> None:
    if not all(isinstance(value, str) for value in labels.values()):
        raise CallRefused(f"{path}: expected texts")


def _same(expected: Any, given: Any, path: str) -> None:
    """Refuse whatever differs, and name the first that does."""
    if isinstance(expected, dict) and isinstance(given, dict):
        for key in [*expected, *given]:
            shown = key if KEY.fullmatch(key) else "?"
            where = f"{path}.{shown}".lstrip(".")
            if key not in expected or key not in given:
                raise CallRefused(f"{where}: not what the executor sends")
            _same(expected[key], given[key], where)
    elif isinstance(expected, list) and isinstance(given, list):
        if len(expected) != len(given):
            raise CallRefused(f"{path}: not as many as the executor sends")
        for number, pair in enumerate(zip(expected, given, strict=True)):
            _same(*pair, f"{path}[{number}]")
    # True is 1 to Python, but not to the daemon.
    elif type(expected) is not type(given) or expected != given:
        raise CallRefused(f"{path}: not what the executor sends")
