"""Builds the image in which scripts run, unless the one at hand is up to date.

Runs with nothing but the system's Python and the docker command. The base is
debian:12-slim where a registry answers; otherwise Debian is bootstrapped from its
package archive with mmdebstrap.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "runner"
DOCKERFILE = FOLDER / "Dockerfile"
IMAGE = "cronium/runner:latest"
PUBLIC_BASE = "debian:12-slim"
OWN_BASE = "cronium/base:bookworm"
SUITE = "bookworm"
LABEL = "io.cronium.inputs"
PULL_SECONDS = 15
# Left out while unpacking: scripts do not read manuals.
EXCLUDED = ("doc", "man", "info", "locale", "lintian", "bug")
# Nothing below is part of the image's purpose, and a bootstrap leaves it behind.
STRIP = (
    'find "$1" -xdev -perm /6000 -type f -exec chmod ug-s {} + && '
    'rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/* "$1"/var/log/*'
)


class BuildFailed(Exception):
    """The image cannot be built; the text says what to do."""


def packages(dockerfile: Path = DOCKERFILE) -> list[str]:
    """The packages that a Dockerfile names."""
    found = re.search(r'^ARG PACKAGES="([^"]+)"', dockerfile.read_text(), re.M)
    if found is None:
        raise BuildFailed(f'{dockerfile} has no line ARG PACKAGES="…"; restore it.')
    return found[1].split()


def inputs() -> str:
    """A digest of everything that decides what the image holds."""
    parts = (DOCKERFILE.read_text(), SUITE, *EXCLUDED, STRIP)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def ask(*command: str, seconds: float = 30) -> str | None:
    """The command's output, or nothing if it fails or takes too long."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds, check=True
        )
    except (subprocess.SubprocessError, OSError):
        return None
    return done.stdout.strip()


def label_of(image: str) -> str | None:
    """The inputs' digest that an image carries, if it is here."""
    wanted = f'{{{{index .Config.Labels "{LABEL}"}}}}'
    return ask("docker", "image", "inspect", "--format", wanted, image)


def have(image: str) -> bool:
    """Whether the daemon has the image."""
    return ask("docker", "image", "inspect", "--format", "{{.Id}}", image) is not None


def bootstrap(digest: str, names: list[str], image: str = OWN_BASE) -> None:
    """Make a base from Debian's package archive and give it to the daemon."""
    if shutil.which("docker") is None:
        raise BuildFailed("The docker command is not here; run: make setup")
    if shutil.which("mmdebstrap") is None:
        raise BuildFailed(
            f"No registry gave {PUBLIC_BASE} and mmdebstrap is not installed: "
            "run `apt-get install mmdebstrap`, or `docker load` that image."
        )
    excludes = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in EXCLUDED]
    maker = subprocess.Popen(
        [
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            f"--include={','.join(names)}",
            *excludes,
            f"--customize-hook={STRIP}",
            SUITE,
            "-",
        ],
        stdout=subprocess.PIPE,
    )
    label = f"LABEL {LABEL}={digest}"
    taken = subprocess.run(
        ["docker", "import", "--change", label, "-", image],
        stdin=maker.stdout,
        stdout=subprocess.DEVNULL,
    )
    if maker.stdout is not None:
        maker.stdout.close()
    if maker.wait() or taken.returncode:
        ask("docker", "image", "rm", image)
        raise BuildFailed(
            "Debian could not be bootstrapped (its messages are above): "
            "check that this machine reaches a Debian archive."
        )


def base(digest: str, force: bool) -> str:
    """The image to build on: Debian's own, or one made here."""
    if have(PUBLIC_BASE) or ask("docker", "pull", PUBLIC_BASE, seconds=PULL_SECONDS):
        return PUBLIC_BASE
    if force or label_of(OWN_BASE) != digest:
        print(
            f"images: no registry gave {PUBLIC_BASE}; bootstrapping Debian", flush=True
        )
        bootstrap(digest, packages())
    return OWN_BASE


def build(digest: str, force: bool) -> None:
    """Build the runner image on whichever base there is."""
    chosen = base(digest, force)
    command = ["docker", "build", "--quiet", "--tag", IMAGE]
    command += ["--build-arg", f"BASE_IMAGE={chosen}", "--label", f"{LABEL}={digest}"]
    command += ["--no-cache"] if force else []
    # The plain builder is part of every engine; the newer one is a separate package.
    environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
    done = subprocess.run(
        [*command, str(FOLDER)],
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise BuildFailed(f"docker build failed:\n{done.stdout}{done.stderr}")


def main() -> int:
    """Build if needed and say in one line what was done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--force", action="store_true", help="build in any case")
    force = parser.parse_args().force
    begin = time.monotonic()
    digest = inputs()
    try:
        if not force and label_of(IMAGE) == digest:
            print(f"images: {IMAGE} is up to date")
            return 0
        build(digest, force)
    except BuildFailed as error:
        print(f"images: {error}", file=sys.stderr)
        return 1
    print(f"images: built {IMAGE} in {time.monotonic() - begin:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
