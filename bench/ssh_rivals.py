"""What a user would use instead for one command on many servers.

Ansible and parallel-ssh come from PyPI into a virtual environment of the bench's own;
neither is a dependency of the product.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import asyncssh

from bench.fleet import USER, Fleet, Target

VENV = Path(__file__).parents[1] / "build" / "bench-venv"
PACKAGES = ("ansible-core>=2.15,<3", "parallel-ssh>=2.12,<3")
COMMAND = "echo hi"
# Written for the interpreter of the virtual environment; prints the seconds it took.
# Of host keys it knows nothing: the library has no way to check them.
PARALLEL_SSH = """
import sys, time
from pssh.clients import ParallelSSHClient
from pssh.config import HostConfig
key, user, command, *targets = sys.argv[1:]
hosts = [target.rsplit(":", 1) for target in targets]
client = ParallelSSHClient(
    [address for address, _ in hosts],
    host_config=[HostConfig(port=int(port)) for _, port in hosts],
    user=user, pkey=key, pool_size=len(hosts), num_retries=1, timeout=120,
)
begin = time.perf_counter()
output = client.run_command(command, stop_on_errors=True)
lines = [line for host in output for line in host.stdout]
client.join(output)
took = time.perf_counter() - begin
assert lines == ["hi"] * len(hosts), lines
print(took)
"""


def install() -> None:
    """Make the virtual environment, unless it is there.

    Raises:
        SystemExit: pip cannot install the packages.
    """
    if (VENV / "done").exists():
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
    pip = [str(VENV / "bin" / "pip"), "install", "--quiet", *PACKAGES]
    done = subprocess.run([*pip, "--disable-pip-version-check"], check=False)
    if done.returncode:
        raise SystemExit("bench: Ansible and parallel-ssh cannot be installed")
    (VENV / "done").touch()


async def bare_connection(target: Target) -> asyncssh.SSHClientConnection:
    """Log in with asyncssh alone; the host key is checked."""
    server = target.server
    return await asyncssh.connect(
        target.address,
        target.port,
        username=USER,
        client_keys=[server.ground.user_key],
        known_hosts=([server.host_key.convert_to_public()], [], []),
        config=None,
    )


async def _run_bare(target: Target) -> None:
    async with await bare_connection(target) as connection:
        done = await connection.run(COMMAND, check=True)
        assert done.stdout == "hi\n"


async def bare_asyncssh(fleet: Fleet) -> float:
    """Seconds for all targets at once, with nothing around the library."""
    begin = time.perf_counter()
    await asyncio.gather(*map(_run_bare, fleet.targets))
    return time.perf_counter() - begin


async def ansible(fleet: Fleet, module: str) -> float:
    """Seconds that `ansible -f 100` takes: OpenSSH, as its users have it.

    Args:
        fleet: Where.
        module: `raw` sends the command and nothing else; `command`, which it takes
            when nothing is said, brings a program that runs it.
    """
    with tempfile.TemporaryDirectory(prefix="crn-") as directory:
        inventory = Path(directory) / "hosts"
        inventory.write_text(
            "".join(
                f"{t.name} ansible_host={t.address} ansible_port={t.port} "
                f"ansible_user={USER} ansible_ssh_private_key_file={fleet.key}\n"
                for t in fleet.targets
            )
        )
        environment = {
            **os.environ,
            "ANSIBLE_HOST_KEY_CHECKING": "True",
            "ANSIBLE_SSH_ARGS": "-C -o ControlMaster=auto -o ControlPersist=60s "
            f"-o StrictHostKeyChecking=yes -o UserKnownHostsFile={fleet.known_hosts}",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": f"{directory}/cp",
            "ANSIBLE_HOME": f"{directory}/home",
            "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
            "LC_ALL": "C.UTF-8",
        }
        words = ["all", "-i", str(inventory), "-f", "100", "-m", module, "-a", COMMAND]
        begin = time.perf_counter()
        said = await _output(str(VENV / "bin" / "ansible"), *words, env=environment)
        took = time.perf_counter() - begin
    assert said.splitlines().count("hi") == len(fleet.targets), said[-2000:]
    return took


async def parallel_ssh(fleet: Fleet) -> float:
    """Seconds that parallel-ssh takes, without its own start."""
    places = [f"{target.address}:{target.port}" for target in fleet.targets]
    words = ["-c", PARALLEL_SSH, str(fleet.key), USER, COMMAND, *places]
    return float(await _output(str(VENV / "bin" / "python"), *words))


async def _output(*command: str, env: dict[str, str] | None = None) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        env=env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    if process.returncode:
        raise SystemExit(f"bench: {command[0]} failed:\n{err.decode()[-2000:]}")
    return out.decode()
