"""Opens the database: driver, SQLite's settings, migrations."""

import asyncio
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from gateway.errors import StorageFailed

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
_MIGRATIONS = Path(__file__).parent / "migrations"
_PRAGMAS = (
    # First: the others may have to wait for a lock.
    "busy_timeout=10000",
    "journal_mode=WAL",
    # In WAL mode a power cut may lose the last commits but never corrupts the file;
    # a process that is killed loses nothing.
    "synchronous=NORMAL",
    "cache_size=-16000",
    "wal_autocheckpoint=4000",
)
_READERS = 4
_LOCKS = {
    "sqlite": "BEGIN IMMEDIATE",
    # Any number will do, as long as every gateway takes the same.
    "postgresql": "SELECT pg_advisory_xact_lock(7290118)",
}
_one_migration = threading.Lock()


@dataclass(frozen=True)
class Database:
    """Two pools, so that many readers never hold up the writer."""

    writer: AsyncEngine
    reader: AsyncEngine

    async def close(self) -> None:
        """Close every connection."""
        await self.reader.dispose()
        await self.writer.dispose()


async def open_database(url: str) -> Database:
    """Return the database at `url`, its schema up to date.

    Raises StorageFailed when it cannot be opened or migrated, or is too new for us.
    """
    target = _with_driver(url)
    try:
        _prepare_file(target)
        # In a thread: loading migration scripts blocks for some tens of milliseconds.
        await asyncio.to_thread(_migrate, target)
    except (sa.exc.SQLAlchemyError, OSError) as error:
        raise StorageFailed(
            f"The gateway's database cannot be opened: {type(error).__name__}.",
            hint="Check the database address, its rights and the free disk space.",
        ) from error
    except CommandError as error:
        raise StorageFailed(
            "The gateway's database was brought up to date by a newer version.",
            hint="Start that version, or restore the copy that was made before it "
            "(docs/upgrade.md).",
        ) from error
    return Database(
        writer=_engine(target, pool_size=1),
        reader=_engine(target, pool_size=_READERS),
    )


def with_password(url: str, password: str) -> str:
    """Return a database's address with the password of its user."""
    return make_url(url).set(password=password).render_as_string(hide_password=False)


def _with_driver(url: str) -> URL:
    parsed = make_url(url)
    parsed = parsed.set(drivername=_DRIVERS.get(parsed.drivername, parsed.drivername))
    if parsed.get_backend_name() == "sqlite" and parsed.database in (
        None,
        "",
        ":memory:",
    ):
        raise StorageFailed(
            "The gateway's SQLite database must be a file.",
            hint="Use an address such as sqlite+aiosqlite:////var/lib/cronium/logs.db.",
        )
    return parsed


def _prepare_file(url: URL) -> None:
    if url.get_backend_name() != "sqlite" or not url.database:
        return
    path = Path(url.database)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Logs are private; SQLite gives its side files the rights of this one.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _engine(url: URL, **options: Any) -> AsyncEngine:
    if "poolclass" not in options:
        options = {"max_overflow": 0, "pool_timeout": 60, **options}
    engine = create_async_engine(url, **options)
    if url.get_backend_name() == "sqlite":
        sa.event.listen(engine.sync_engine, "connect", _set_pragmas)
    return engine


def _set_pragmas(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _migrate(url: URL) -> None:
    # Alembic keeps the running migration in module globals.
    with _one_migration:
        asyncio.run(_upgrade(url))


async def _upgrade(url: URL) -> None:
    engine = _engine(url, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            # Gateways that start together would both make the tables: one waits here
            # until the other has committed all of it.
            await connection.exec_driver_sql(_LOCKS[url.get_backend_name()])
            await connection.run_sync(upgrade)
    finally:
        await engine.dispose()


def upgrade(connection: Connection) -> None:
    """Bring the schema of an open connection up to date."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
