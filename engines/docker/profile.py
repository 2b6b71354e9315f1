"""The hardened profile: what every container of ours is created with.

Nothing in a request can weaken it: a request only chooses sizes inside the operator's
ceilings, one of two networks, and the image.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from contracts.events import Network, Resources
from contracts.limits import MIB
from contracts.names import RUN_DIRECTORY, SANDBOX_UID

USER = f"{SANDBOX_UID}:{SANDBOX_UID}"
HOSTNAME = "sandbox"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SHM_BYTES = 16 * MIB
OPEN_FILES = 1024
# The sandbox dies before the worker when the host itself runs out of memory.
OOM_SCORE_ADJUSTMENT = 500
# The daemon keeps the raw output for a worker that attaches again, in two files.
MIN_DAEMON_LOG_BYTES = 32 * MIB


@cache
def seccomp_profile() -> str:
    """Return our seccomp profile as the compact JSON that the daemon expects."""
    text = files("engines.docker").joinpath("seccomp.json").read_text()
    return json.dumps(json.loads(text), separators=(",", ":"))


def container_config(
    *,
    image: str,
    command: list[str],
    resources: Resources,
    network: Network,
    egress_network: str,
    run_directory: str | None,
    labels: dict[str, str],
    runtime: str | None = None,
    tmp_exec: bool = False,
    log_bytes: int = MIN_DAEMON_LOG_BYTES,
) -> dict[str, Any]:
    """Return the body of the create call.

    Args:
        image: Image name.
        command: What PID 1's child executes; never anything of the user's.
        resources: Limits, already checked against the ceilings.
        network: What the script may reach.
        egress_network: Name of the filtered network.
        run_directory: Host directory to mount read-only, or None for none.
        labels: Labels; never secrets, since `docker inspect` shows them.
        runtime: OCI runtime, or None for the daemon's default.
        tmp_exec: Whether files in /tmp may be executed.
        log_bytes: How much raw output the daemon keeps in each of its two files; twice
            the log cap, so that inside the cap nothing is rotated away.
    """
    return {
        "Image": image,
        "Entrypoint": command,
        "Cmd": [],
        "User": USER,
        "Hostname": HOSTNAME,
        "WorkingDir": "/tmp",
        "Env": ["HOME=/tmp", "LANG=C.UTF-8", f"PATH={PATH}"],
        "Labels": labels,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": False,
        "OpenStdin": False,
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": _host_config(
            resources,
            "none" if network is Network.NONE else egress_network,
            run_directory,
            runtime,
            tmp_exec,
            log_bytes,
        ),
    }


def _host_config(
    resources: Resources,
    network: str,
    run_directory: str | None,
    runtime: str | None,
    tmp_exec: bool,
    log_bytes: int,
) -> dict[str, Any]:
    memory = resources.memory_mb * MIB
    execute = "exec" if tmp_exec else "noexec"
    config: dict[str, Any] = {
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges", f"seccomp={seccomp_profile()}"],
        "Privileged": False,
        "ReadonlyRootfs": True,
        "Tmpfs": {
            "/tmp": f"rw,nosuid,nodev,{execute},size={resources.tmp_mb}m,mode=1777"
        },
        "ShmSize": min(SHM_BYTES, memory // 4),
        "Memory": memory,
        "MemorySwap": memory,
        "NanoCpus": int(resources.cpus * 1e9),
        "PidsLimit": resources.pids,
        "Ulimits": [
            {"Name": "nofile", "Soft": OPEN_FILES, "Hard": OPEN_FILES},
            {"Name": "core", "Soft": 0, "Hard": 0},
        ],
        "OomScoreAdj": OOM_SCORE_ADJUSTMENT,
        "Init": True,
        "IpcMode": "private",
        "CgroupnsMode": "private",
        "NetworkMode": network,
        "LogConfig": {"Type": "local", "Config": _daemon_log(log_bytes)},
        "RestartPolicy": {"Name": "no"},
        "AutoRemove": False,
    }
    if run_directory is not None:
        config["Mounts"] = [_read_only_mount(run_directory)]
    if runtime:
        config["Runtime"] = runtime
    return config


def _daemon_log(log_bytes: int) -> dict[str, str]:
    size = max(log_bytes, MIN_DAEMON_LOG_BYTES)
    return {"max-size": f"{size // MIB}m", "max-file": "2", "compress": "false"}


def _read_only_mount(source: str) -> dict[str, Any]:
    return {
        "Type": "bind",
        "Source": source,
        "Target": RUN_DIRECTORY,
        "ReadOnly": True,
        "BindOptions": {"Propagation": "rprivate"},
    }
