"""The gateway's database: saved and restored, its password, and a way back."""

import asyncio
import contextlib
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from gateway.database import open_database, with_password
from gateway.errors import StorageFailed
from tests.chaos.processes import Part, answers, clean_environment, ours
from tests.conftest import pick_port
from tests.deploy.compose import COMMAND
from tests.gateway.postgres import Postgres, _run, running_postgres


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as running:
        yield running


@contextlib.asynccontextmanager
async def gateway(state: Path, url: str, **more: str) -> AsyncIterator[dict[str, str]]:
    """Run a gateway on a database; yield the variables to reach it."""
    port = pick_port()
    here = f"http://127.0.0.1:{port}"
    variables = {
        "CRONIUM_STATE_DIR": str(state),
        "CRONIUM_GATEWAY_DATABASE_URL": url,
        "CRONIUM_GATEWAY_PORT": str(port),
        "CRONIUM_GATEWAY_URL": here,
        # Only so that the command looks for no local stack.
        "CRONIUM_TEMPORAL_ADDRESS": "127.0.0.1:9",
        **more,
    }
    part = Part(
        "gateway",
        ours("gateway"),
        clean_environment(**variables),
        state / "gateway.log",
        answers(f"{here}/ready"),
    )
    try:
        await part.start()
        yield clean_environment(**variables)
    finally:
        await part.stop()


async def command(environment: dict[str, str], *words: str) -> str:
    done = await asyncio.to_thread(
        subprocess.run,
        [COMMAND, *words],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return str(done.stdout).strip()


async def test_a_dump_of_postgresql_brings_everything_back(
    postgres: Postgres, tmp_path: Path
) -> None:
    old, new = postgres.new_database(), postgres.new_database()
    async with gateway(tmp_path, old) as environment:
        await command(environment, "var", "set", "KEPT", '{"rows": 120}')
        # As the page says, while the gateway works.
        dump = str(postgres.directory / "cronium.dump")
        name = str(make_url(old).database)
        host = ("-h", str(postgres.directory))
        await asyncio.to_thread(_run, "pg_dump", *host, "-Fc", "-f", dump, name)
        await command(environment, "var", "set", "KEPT", "later")

    name = str(make_url(new).database)
    await asyncio.to_thread(
        _run, "pg_restore", *host, "--exit-on-error", "-d", name, dump
    )
    async with gateway(tmp_path, new) as environment:
        assert await command(environment, "var", "get", "KEPT") == '{"rows": 120}'
        await command(environment, "var", "set", "MORE", "1")


async def test_the_password_of_the_database_may_be_in_a_file(
    postgres: Postgres, tmp_path: Path
) -> None:
    """The server wants it: an entry of pg_hba.conf for one role of this test."""
    role, password = "keeper", "p@ss/wörd:1"
    hba = postgres.directory / "data" / "pg_hba.conf"
    hba.write_text(f"local all {role} scram-sha-256\n" + hba.read_text())
    url = make_url(postgres.new_database())
    for statement in (
        f"CREATE ROLE {role} LOGIN SUPERUSER PASSWORD '{password}'",
        "SELECT pg_reload_conf()",
    ):
        _run("psql", "-h", str(postgres.directory), "-c", statement, str(url.database))
    file = tmp_path / "password"
    file.write_text(password + "\n")
    alone = url.set(username=role).render_as_string()

    given = {"CRONIUM_GATEWAY_DATABASE_PASSWORD_FILE": str(file)}
    async with gateway(tmp_path, alone, **given) as environment:
        await command(environment, "var", "set", "A", "1")
    with pytest.raises(StorageFailed):
        await open_database(alone)
    with pytest.raises(StorageFailed):
        await open_database(with_password(alone, "another"))
    log = (tmp_path / "gateway.log").read_text()
    assert password not in log


async def test_a_database_of_a_newer_version_is_refused_with_the_way_back(
    tmp_path: Path,
) -> None:
    file = tmp_path / "gateway.db"
    url = f"sqlite+aiosqlite:///{file}"
    database = await open_database(url)
    await database.close()
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()

    with pytest.raises(StorageFailed) as refused:
        await open_database(url)

    assert "newer version" in str(refused.value)
    assert "docs/upgrade.md" in refused.value.user_hint
    # Nothing of it was changed: the newer version goes on with it.
    with contextlib.closing(sqlite3.connect(file)) as connection:
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    assert found == ("9999",)
