"""A real PostgreSQL of the tests' own: in a temporary directory, on a Unix socket."""

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

OWNER = "postgres"
# Nothing here has to outlive a power cut.
OPTIONS = "-c fsync=off -c full_page_writes=off -c listen_addresses= -c port=5432"
DEBIAN = Path("/usr/lib/postgresql")


@dataclass(frozen=True)
class Postgres:
    """A running server; each test takes a database of its own."""

    directory: Path

    def new_database(self) -> str:
        """Make an empty database; return its address for SQLAlchemy."""
        name = "t" + secrets.token_hex(6)
        _run("createdb", "-h", str(self.directory), name)
        return f"postgresql+asyncpg://{OWNER}@/{name}?host={self.directory}"


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Start a server and stop it; fails, and says why, when it does not start."""
    # Not pytest's directory: the server's user must be able to enter it, and the path
    # of a Unix socket is short.
    directory = Path(tempfile.mkdtemp(prefix="crn-pg-"))
    if os.geteuid() == 0:
        shutil.chown(directory, OWNER)
    data = str(directory / "data")
    options = f"{OPTIONS} -c unix_socket_directories={directory}"
    try:
        _run("initdb", "-D", data, "-U", OWNER, "-A", "trust", "-E", "UTF8", "-N")
        log = str(directory / "log")
        _run("pg_ctl", "-D", data, "-l", log, "-w", "-o", options, "start")
        try:
            yield Postgres(directory)
        finally:
            _run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _run(program: str, *arguments: str) -> None:
    command = [_binary(program), *arguments]
    if os.geteuid() == 0:
        # The server refuses to run as root.
        command = ["runuser", "-u", OWNER, "--", *command]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/")
    if done.returncode:
        pytest.fail(f"{program}: {done.stdout}{done.stderr}", pytrace=False)


def _binary(program: str) -> str:
    # Debian keeps the server's programs out of the search path.
    found = sorted(DEBIAN.glob(f"*/bin/{program}"), reverse=True)
    path = str(found[0]) if found else shutil.which(program)
    if path is None or (os.geteuid() == 0 and not _has_owner()):
        pytest.fail("PostgreSQL is missing: apt-get install postgresql", pytrace=False)
    return path


def _has_owner() -> bool:
    return any(user.pw_name == OWNER for user in pwd.getpwall())
