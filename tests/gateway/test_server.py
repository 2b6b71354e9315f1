"""Start, end and the database below."""

import asyncio
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from contracts.results import Status
from gateway.cache import ExecutionState, StateCache
from gateway.config import GatewayConfig
from gateway.database import open_database
from gateway.errors import GatewayNotReady, StorageFailed
from gateway.live import Summary
from gateway.schema import metadata
from gateway.server import serve
from tests.gateway.conftest import PATIENCE, SECRET, Gateway, Start


def _config(tmp_path: Path, **more: object) -> GatewayConfig:
    url = f"sqlite:///{tmp_path}/logs.db"
    return GatewayConfig(url, SECRET, **({"port": 0} | more))  # type: ignore[arg-type]


async def test_serve_says_when_it_started_and_returns_when_cancelled(tmp_path: Path):
    started = asyncio.Event()
    task = asyncio.create_task(serve(_config(tmp_path), started=started))
    await asyncio.wait_for(started.wait(), PATIENCE)
    task.cancel()
    assert await asyncio.wait_for(task, PATIENCE) is None


def test_serve_returns_on_sigterm(tmp_path: Path):
    code = (
        "import asyncio, sys; from gateway.config import GatewayConfig;"
        "from gateway.server import serve\n"
        "async def main():\n"
        "    started = asyncio.Event()\n"
        "    config = GatewayConfig(sys.argv[1], 's' * 64, port=0)\n"
        "    task = asyncio.create_task(serve(config, started=started))\n"
        "    await started.wait(); print('up', flush=True); await task\n"
        "    print('returned')\n"
        "asyncio.run(main())"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, f"sqlite:///{tmp_path}/logs.db"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=PATIENCE)[0] == "returned\n"
    assert process.returncode == 0


async def test_a_taken_address_is_an_error_and_not_an_exit(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(GatewayNotReady, match="cannot start"):
            await serve(_config(tmp_path, port=taken.getsockname()[1]))


async def test_a_database_that_cannot_be_opened_is_an_error(tmp_path: Path):
    (tmp_path / "logs.db").mkdir()
    with pytest.raises(GatewayNotReady):
        await serve(_config(tmp_path))


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
async def test_a_database_in_memory_is_refused(url: str):
    with pytest.raises(StorageFailed, match="must be a file"):
        await open_database(url)


async def test_migrations_make_exactly_the_schema(start: Start, database_url: str):
    gateway = await start(database_url=database_url)

    def differences(connection: sa.Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with gateway.services.database.reader.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_sqlite_writes_beside_its_readers(gateway: Gateway):
    async with gateway.services.database.reader.connect() as connection:
        mode = await connection.exec_driver_sql("PRAGMA journal_mode")
        assert mode.scalar() == "wal"


def test_the_schema_is_valid_for_postgresql():
    dialect = postgresql.dialect()
    for table in metadata.sorted_tables:
        text = str(CreateTable(table).compile(dialect=dialect))
        # The others have keys that their writers choose.
        numbered = table.name in ("executions", "streams")
        assert ("BIGSERIAL" in text) is numbered


async def test_gateways_that_start_together_on_a_new_database_both_come_up(
    tmp_path: Path,
):
    url = f"sqlite:///{tmp_path}/logs.db"
    for database in await asyncio.gather(open_database(url), open_database(url)):
        await database.close()


def test_processes_that_start_together_on_a_new_database_all_come_up(tmp_path: Path):
    code = (
        "import asyncio, sys; from gateway.database import open_database\n"
        "async def main():\n"
        "    print('ready', flush=True); sys.stdin.readline()\n"
        "    await (await open_database(sys.argv[1])).close()\n"
        "asyncio.run(main())"
    )
    command = [sys.executable, "-c", code, f"sqlite:///{tmp_path}/logs.db"]
    pipe = subprocess.PIPE
    together = [
        subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(3)
    ]
    for process in together:
        assert process.stdout is not None
        process.stdout.readline()
    for process in together:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in together:
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 0


def test_the_cache_is_bounded():
    cache = StateCache(size=2)
    summary = Summary("", Status.RUNNING, 0.0, None, 0)
    for name in "abc":
        cache.put(ExecutionState(1, name, summary, 0))
    assert cache.get("a") is None
    assert cache.get("c") is not None
