"""Variables: a typed value per user and key, changed atomically.

A change reads, computes and writes inside one transaction that no other change of the
same variable can enter, in this process or another.
"""

import hashlib
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.errors import VariableConflict, VariableNotFound, VariableRefused
from contracts.limits import CALL_MEMORY_SECONDS, MAX_VARIABLES_PER_USER, MIB
from contracts.variables import check_key, is_key, value_text
from gateway.database import Database
from gateway.errors import StorageFailed
from gateway.models import Variable
from gateway.schema import variable_replies, variables
from gateway.store import Store

Compute = Callable[[Variable | None], Any]
"""From what is stored to the new value; raises VariableConflict."""

_MAX_PAGE_CHARS = 4 * MIB
_PRUNE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Call:
    """One write, so that the same one sent twice is known as the same."""

    user: str
    key: str
    operation: str
    body: str = ""
    idempotency_key: str | None = None

    @property
    def digest(self) -> str:
        """What was asked, without who sends it how often."""
        words = "\n".join((self.operation, self.key, self.body))
        return hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()


class Variables:
    """Reads and changes variables."""

    def __init__(self, database: Database, store: Store) -> None:
        self._database = database
        self._store = store
        self._pruned_at = 0.0

    async def get(self, user: str, key: str) -> Variable:
        """Return a variable; raises VariableNotFound."""
        # What could never be stored need not be looked for.
        if is_key(key):
            async with self._reading() as connection:
                found = await _load(connection, user, key)
            if found is not None:
                return found
        raise VariableNotFound("The variable is not set.")

    async def page(
        self, user: str, *, prefix: str = "", after: str = "", limit: int = 100
    ) -> tuple[list[Variable], str | None]:
        """Return variables in order of keys, and where the next page begins."""
        if prefix and not is_key(prefix) and not is_key(prefix + "_"):
            return [], None
        query = (
            sa.select(variables)
            .where(
                variables.c.user == user,
                variables.c.key > after,
                # LIKE would take upper and lower case for the same on SQLite.
                sa.func.substr(variables.c.key, 1, len(prefix)) == prefix,
            )
            .order_by(variables.c.key)
            .limit(limit + 1)
        )
        async with self._reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        fitting = _fitting(rows[:limit])
        more = len(fitting) < len(rows)
        page = [_variable(row) for row in rows[: fitting.stop]]
        return page, page[-1].key if more else None

    async def change(
        self, call: Call, compute: Compute, description: str | None = None
    ) -> Variable:
        """Store what `compute` makes of the variable, once per idempotency key.

        Raises VariableRefused, VariableConflict, or StorageFailed when the database
        did not take it.
        """
        check_key(call.key)

        async def work(connection: AsyncConnection) -> str:
            before = await _load(connection, call.user, call.key)
            text = value_text(compute(before))
            after = Variable(
                key=call.key,
                value=json.loads(text),
                description=_described(before, description),
                version=before.version + 1 if before else 1,
                updated_at=datetime.now(UTC),
            )
            await _save(connection, call.user, after, text, new=before is None)
            return after.model_dump_json()

        return Variable.model_validate_json(await self._once(call, work))

    async def delete(self, call: Call) -> bool:
        """Delete a variable; return whether it was set."""
        if not is_key(call.key):
            return False

        async def work(connection: AsyncConnection) -> str:
            done = await connection.execute(
                sa.delete(variables).where(*_place(call.user, call.key))
            )
            return json.dumps(done.rowcount > 0)

        return bool(json.loads(await self._once(call, work)))

    async def _once(self, call: Call, work: Callable[..., Any]) -> str:
        for last in (False, True):
            try:
                async with self._writing(call) as connection:
                    known = await _reply(connection, call)
                    if known is not None:
                        return known
                    reply: str = await work(connection)
                    await _remember(connection, call, reply)
                    await self._prune(connection)
                    return reply
            except IntegrityError as error:
                # The same key came for another variable at the same moment: once more,
                # and its reply is there.
                if last:
                    raise StorageFailed from error
        raise AssertionError("unreachable")

    async def _prune(self, connection: AsyncConnection) -> None:
        now = time.time()
        if now - self._pruned_at < _PRUNE_SECONDS:
            return
        self._pruned_at = now
        await connection.execute(
            sa.delete(variable_replies).where(
                variable_replies.c.created_at < now - CALL_MEMORY_SECONDS
            )
        )

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._database.reader.connect() as connection:
                yield connection
        except (SQLAlchemyError, OSError) as error:
            raise StorageFailed("The database did not answer.") from error

    @asynccontextmanager
    async def _writing(self, call: Call) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that has the variable for itself."""
        try:
            async with self._store.lock, self._database.writer.begin() as connection:
                if connection.dialect.name == "sqlite":
                    # Without it the transaction would begin at its first write, after
                    # the reading.
                    await connection.exec_driver_sql("BEGIN IMMEDIATE")
                else:
                    name = f"{call.user}/{call.key}"
                    lock = sa.func.hashtextextended(name, 0)
                    await connection.execute(
                        sa.select(sa.func.pg_advisory_xact_lock(lock))
                    )
                yield connection
        except IntegrityError:
            raise
        except (SQLAlchemyError, OSError) as error:
            raise StorageFailed("The database did not take the variable.") from error


def _place(user: str, key: str) -> tuple[sa.ColumnElement[bool], ...]:
    return variables.c.user == user, variables.c.key == key


async def _load(connection: AsyncConnection, user: str, key: str) -> Variable | None:
    found = await connection.execute(sa.select(variables).where(*_place(user, key)))
    row = found.mappings().first()
    return _variable(row) if row else None


async def _save(
    connection: AsyncConnection, user: str, after: Variable, text: str, *, new: bool
) -> None:
    values: dict[str, Any] = {
        "value": text,
        "description": after.description,
        "version": after.version,
        "updated_at": after.updated_at.timestamp(),
    }
    if not new:
        place = _place(user, after.key)
        await connection.execute(sa.update(variables).where(*place).values(values))
        return
    count = sa.select(sa.func.count()).where(variables.c.user == user)
    if (await connection.execute(count)).scalar_one() >= MAX_VARIABLES_PER_USER:
        raise VariableRefused(
            f"key: the user has {MAX_VARIABLES_PER_USER} variables, the most allowed",
            hint="Delete variables that nothing needs; `cronium var list` shows them.",
        )
    values |= {"user": user, "key": after.key}
    await connection.execute(sa.insert(variables).values(values))


async def _reply(connection: AsyncConnection, call: Call) -> str | None:
    if call.idempotency_key is None:
        return None
    found = await connection.execute(
        sa.select(variable_replies).where(
            variable_replies.c.user == call.user,
            variable_replies.c.idempotency_key == call.idempotency_key,
        )
    )
    row = found.mappings().first()
    if row is None:
        return None
    if row["call"] != call.digest:
        raise VariableConflict(
            "The Idempotency-Key was used for another call before.",
            hint="Make a new random key for each call; keep it for its retries alone.",
        )
    return str(row["reply"])


async def _remember(connection: AsyncConnection, call: Call, reply: str) -> None:
    if call.idempotency_key is None:
        return
    await connection.execute(
        sa.insert(variable_replies).values(
            user=call.user,
            idempotency_key=call.idempotency_key,
            call=call.digest,
            reply=reply,
            created_at=time.time(),
        )
    )


def _described(before: Variable | None, description: str | None) -> str:
    if description is not None:
        return description
    return before.description if before else ""


def _variable(row: sa.RowMapping) -> Variable:
    return Variable(
        key=row["key"],
        value=json.loads(row["value"]),
        description=row["description"],
        version=row["version"],
        updated_at=datetime.fromtimestamp(row["updated_at"], UTC),
    )


def _fitting(rows: Sequence[sa.RowMapping]) -> range:
    """Return the rows that one answer may hold: at least one."""
    chars = 0
    for index, row in enumerate(rows):
        chars += len(row["value"])
        if chars > _MAX_PAGE_CHARS and index:
            return range(index)
    return range(len(rows))
