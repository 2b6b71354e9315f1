"""Prepares a checkout: virtual environment, dependencies, Docker Engine, runner image.

`make setup` runs it with the system's Python. Every step looks first and does nothing
when there is nothing to do, so it can run before each start. With `--tests` it also
brings what only the tests need: PostgreSQL, Chromium, Node.js and npm packages.
"""

import hashlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "cronium-setup.stamp"
LOCK = ROOT / "requirements.lock"
INPUTS = (LOCK, ROOT / "pyproject.toml")
DOCKER_SOCKET = "/var/run/docker.sock"
DAEMON_LOG = Path("/var/log/cronium-dockerd.log")
DAEMON_SECONDS = 60
SYSTEMD = Path("/run/systemd/system")
INIT_SCRIPT = Path("/etc/init.d/docker")
# A bootstrap verifies Debian's packages with it; other distributions may lack it.
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# The commands that must be here, and the Debian package that brings each.
COMMANDS = {
    "dockerd": "docker.io",
    "docker": "docker.io",
    "iptables": "iptables",
    "ip": "iproute2",
    "mmdebstrap": "mmdebstrap",
}
TEST_COMMANDS = {
    "node": "nodejs",
    "npm": "npm",
    "runuser": "util-linux",
    "setsid": "util-linux",
    "shellcheck": "shellcheck",
    "socat": "socat",
    "nc.openbsd": "netcat-openbsd",
    "curl": "curl",
    "jq": "jq",
    "chromium": "chromium",
    "docker-compose": "docker-compose",
    "systemd-analyze": "systemd",
}
POSTGRESQL = Path("/usr/lib/postgresql")
# Without it the package would start a server of its own, which no test wants.
NO_CLUSTER = Path("/etc/postgresql-common/createcluster.conf")
# Unpacked and not installed: their packages would start servers on this machine.
UNPACKED = {
    ROOT / "build" / "registry": ("docker-registry", "docker-registry"),
    ROOT / "build" / "prometheus": ("prometheus", "promtool"),
}
NODE_PROJECTS = ("tests/node", "clients/typescript", "examples/nextjs")


class SetupFailed(Exception):
    """Setup cannot go on; the text says what to do."""


def say(step: str, what: str) -> None:
    """One line about one step."""
    print(f"setup: {step}: {what}", flush=True)


def run(*command: str, failure: str, cwd: Path = ROOT) -> None:
    """Run a command quietly; show what it said only if it fails."""
    done = subprocess.run(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        print(done.stdout, file=sys.stderr)
        raise SetupFailed(failure)


def apt_install(*packages: str) -> None:
    """Install Debian packages, or say that somebody must."""
    wanted = " ".join(packages)
    by_hand = f"apt-get update && apt-get install -y --no-install-recommends {wanted}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise SetupFailed(f"{wanted} missing. As root, run: {by_hand}")
    say("packages", f"installing {wanted}")
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    failure = f"apt-get failed (see above). When it works, run: {by_hand}"
    run("apt-get", "update", failure=failure)
    run(
        *("apt-get", "install", "-y", "--no-install-recommends", *packages),
        failure=failure,
    )


def python_is_new_enough() -> None:
    """Refuse a Python that the code does not run on."""
    if sys.version_info < (3, 11):  # noqa: UP036 — a newcomer may have an older one
        raise SetupFailed(
            f"Python {sys.version.split()[0]} is too old. Install Python 3.11 or newer "
            "and run: make setup PYTHON=python3.11"
        )


def virtual_environment() -> None:
    """Make `.venv` if it is not there or does not start."""
    if PYTHON.exists() and subprocess.run([PYTHON, "-c", "import pip"]).returncode == 0:
        return say("venv", ".venv is there")
    try:
        import ensurepip  # noqa: F401 — Debian ships it in a package of its own
    except ImportError:
        apt_install("python{}.{}-venv".format(*sys.version_info))
    run(
        *(sys.executable, "-m", "venv", "--clear", str(VENV)),
        failure=f"{sys.executable} could not make {VENV} (see above).",
    )
    return say("venv", "made .venv")


def dependencies() -> None:
    """Install exactly what the lock names, when the lock or the project changed."""
    digest = hashlib.sha256(b"\0".join(p.read_bytes() for p in INPUTS)).hexdigest()
    if STAMP.exists() and STAMP.read_text() == digest:
        return say("dependencies", "up to date")
    begin = time.monotonic()
    pip = (str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install")
    run(
        *(*pip, "--require-hashes", "-r", str(LOCK)),
        failure="pip could not install requirements.lock (see above).",
    )
    run(
        *(*pip, "--no-deps", "--no-build-isolation", "-e", str(ROOT)),
        failure="pip could not install this project (see above).",
    )
    STAMP.write_text(digest)
    return say("dependencies", f"installed in {time.monotonic() - begin:.0f} s")


def ask_daemon(path: str) -> bytes | None:
    """What the Docker Engine answers on its socket, or nothing if none does."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        try:
            client.connect(DOCKER_SOCKET)
            client.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            response = http.client.HTTPResponse(client)
            response.begin()
            return response.read() if response.status == 200 else None
        except PermissionError:
            raise SetupFailed(
                f"No right to use {DOCKER_SOCKET}. Join the group (as root: usermod "
                "-aG docker <you>), log in again, and run: make setup"
            ) from None
        except (OSError, http.client.HTTPException):
            return None


def daemon_answers() -> bool:
    """Whether a Docker Engine is ready."""
    return ask_daemon("/_ping") is not None


def engine_version() -> str:
    """The running engine's version, as it says it."""
    return str(json.loads(ask_daemon("/version") or b"{}").get("Version", "unknown"))


def missing_packages(running: bool) -> list[str]:
    """The Debian packages whose files are not here."""
    # A daemon that somebody else runs needs none of its own programs here.
    needed = {"docker": COMMANDS["docker"]} if running else dict(COMMANDS)
    needed["mmdebstrap"] = COMMANDS["mmdebstrap"]
    if os.geteuid() != 0:
        # Only bootstrapping the image needs it; images/build.py says so if it comes up.
        del needed["mmdebstrap"]
    packages = {p for command, p in needed.items() if shutil.which(command) is None}
    if "mmdebstrap" in packages and not KEYRING.exists():
        packages.add("debian-archive-keyring")
    return sorted(packages)


def docker_engine() -> None:
    """Find, install or start the Docker Engine."""
    missing = missing_packages(daemon_answers())
    if missing:
        apt_install(*missing)
    if shutil.which("docker") is None:
        # Since Debian 13 the command is no longer part of docker.io.
        apt_install("docker-cli")
    if daemon_answers():
        return say("docker", f"{engine_version()} running")
    if os.geteuid() != 0:
        raise SetupFailed(
            f"No Docker Engine answers on {DOCKER_SOCKET}. As root, run: dockerd "
            "(or: systemctl start docker)"
        )
    start_daemon()
    return say("docker", f"{engine_version()} started")


def start_daemon() -> None:
    """Start dockerd the way this machine starts things, and wait until it answers."""
    if SYSTEMD.is_dir():
        run("systemctl", "start", "docker", failure="systemctl could not start docker.")
        if not answers_while(lambda: True):
            raise SetupFailed("Docker is silent. See: journalctl -u docker")
    elif not start_service():
        start_alone()


def start_service() -> bool:
    """Start dockerd by its init script; False where that does not work."""
    # Installing the package may have begun this just now: then the script knows of it,
    # and a second dockerd of our own would only collide with the first.
    service = shutil.which("service")
    if service is None or not INIT_SCRIPT.exists():
        return False

    def succeeds(verb: str) -> bool:
        # Not captured through a pipe: the daemon would inherit it and hold it open.
        command = [service, "docker", verb]
        quiet = subprocess.DEVNULL
        return subprocess.run(command, stdout=quiet, stderr=quiet).returncode == 0

    return succeeds("start") and answers_while(lambda: succeeds("status"))


def start_alone() -> None:
    """Start dockerd as a process of its own that outlives this one."""
    with DAEMON_LOG.open("ab") as log:
        process = subprocess.Popen(
            ["dockerd"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    if not answers_while(lambda: process.poll() is None):
        lines = DAEMON_LOG.read_text(errors="replace").splitlines()[-20:]
        raise SetupFailed(
            "\n".join(["dockerd did not come up.", f"The end of {DAEMON_LOG}:", *lines])
        )


def answers_while(alive: Callable[[], bool]) -> bool:
    """Wait for the engine's answer, as long as it makes sense to wait."""
    deadline = time.monotonic() + DAEMON_SECONDS
    while not daemon_answers():
        if time.monotonic() > deadline or not alive():
            return False
        time.sleep(0.2)
    return True


def runner_image() -> None:
    """Build the image in which scripts run."""
    build = [sys.executable, str(ROOT / "images" / "build.py")]
    # The worker uses this socket, whatever engine the docker command is set to.
    environment = {**os.environ, "DOCKER_HOST": f"unix://{DOCKER_SOCKET}"}
    if subprocess.run(build, env=environment).returncode:
        raise SetupFailed("the runner image could not be built (see above).")


def test_programs() -> None:
    """Install what only the tests need."""
    packages = {p for name, p in TEST_COMMANDS.items() if shutil.which(name) is None}
    if not any(POSTGRESQL.glob("*/bin/initdb")):
        packages.add("postgresql")
        if os.geteuid() == 0 and not NO_CLUSTER.exists():
            NO_CLUSTER.parent.mkdir(parents=True, exist_ok=True)
            NO_CLUSTER.write_text("create_main_cluster = false\n")
    if packages:
        apt_install(*sorted(packages))
    for project in NODE_PROJECTS:
        node_packages(ROOT / project)
    for folder, (package, program) in UNPACKED.items():
        unpacked(folder, package, program)
    say("tests", "PostgreSQL, Chromium, Node.js, npm packages and servers are there")


def node_packages(project: Path) -> None:
    """Install exactly what a project's lock names, when it has changed."""
    stamp = project / "node_modules" / ".stamp"
    lock = (project / "package-lock.json").read_text()
    if stamp.exists() and stamp.read_text() == lock:
        return
    begin = time.monotonic()
    name = str(project.relative_to(ROOT))
    run(
        *("npm", "ci", "--prefix", str(project), "--no-audit", "--no-fund"),
        failure=f"npm could not install what {name} names (see above).",
    )
    stamp.write_text(lock)
    say(name, f"npm packages installed in {time.monotonic() - begin:.0f} s")


def unpacked(folder: Path, package: str, program: str) -> None:
    """Fetch a Debian package and take its files apart, without installing it."""
    if (folder / "usr" / "bin" / program).exists():
        return
    if shutil.which("apt-get") is None:
        raise SetupFailed(f"the tests need apt-get to fetch {package}")
    folder.mkdir(parents=True, exist_ok=True)
    failure = f"{package} could not be fetched. Run: apt-get update; make test"
    if os.geteuid() == 0:
        run("apt-get", "update", failure=failure)
    # The user that apt fetches as may not write here, which it warns of.
    run("apt-get", "download", package, failure=failure, cwd=folder)
    archive = next(folder.glob(f"{package}_*.deb"))
    run("dpkg-deb", "--extract", str(archive), str(folder), failure=failure)
    archive.unlink()


def main() -> int:
    """Do every step in order; stop at the first that fails."""
    try:
        python_is_new_enough()
        virtual_environment()
        dependencies()
        docker_engine()
        runner_image()
        if "--tests" in sys.argv[1:]:
            test_programs()
    except SetupFailed as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    say("done", "next: make demo")
    return 0


if __name__ == "__main__":
    sys.exit(main())
