"""Which calls were taken: one execution per call, however often it comes.

A call is told by its signature, and by its idempotency key when it has one. Both are
written down before anything is started, with the execution that will be; a call that
comes again while that start is in doubt starts the same execution again, which Temporal
does once.
"""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.errors import StorageFailed
from gateway.hooks_errors import HookConflict, HookReplayed
from gateway.hooks_writing import Writing
from gateway.schema import hook_marks

IDEMPOTENCY_SECONDS = 86_400.0
"""How long a call with the same idempotency key is the same call."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call whose signature is right."""

    hook: str
    salt: str
    """Tells a hook from one of the same id that was deleted."""
    identity: str
    """What the signature covers, as a digest."""
    remember_seconds: float
    """How long the same signature would be taken for a new call otherwise."""
    body: str
    """Digest of the body."""
    idempotency_key: str = ""

    @property
    def signature_mark(self) -> str:
        """What tells this very call."""
        return "s:" + self.identity

    @property
    def key_mark(self) -> str:
        """What tells this call and its retries; "" without a key."""
        return "k:" + digest(self.idempotency_key) if self.idempotency_key else ""

    @property
    def execution_id(self) -> str:
        """The execution that this call starts: the same for its retries."""
        return "h" + digest(f"{self.salt}/{self.key_mark or self.signature_mark}")[:39]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a call."""

    execution_id: str
    workflow_id: str
    """"" while nobody knows whether it was started."""


class Ledger:
    """The calls of all hooks."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing

    async def take(self, call: Call) -> Taken:
        """Return the execution of a call, written down.

        Raises HookReplayed, HookConflict, or StorageFailed.
        """
        for last in (False, True):
            try:
                async with self._writing.begin() as connection:
                    return await _take(connection, call)
            except IntegrityError as error:
                # Another gateway took the same call at the same moment.
                if last:
                    raise StorageFailed("The call could not be noted.") from error
        raise AssertionError("unreachable")

    async def started(self, hook: str, taken: Taken, workflow_id: str) -> None:
        """Note that Temporal has the execution."""
        async with self._writing.begin() as connection:
            await connection.execute(
                sa.update(hook_marks)
                .where(
                    hook_marks.c.hook == hook,
                    hook_marks.c.execution_id == taken.execution_id,
                )
                .values(workflow_id=workflow_id)
            )

    async def prune(self) -> None:
        """Forget what need not be remembered any longer."""
        async with self._writing.begin() as connection:
            await connection.execute(
                sa.delete(hook_marks).where(hook_marks.c.expires_at < time.time())
            )


def digest(text: str | bytes) -> str:
    """Return a SHA-256 in hexadecimal."""
    data = text.encode() if isinstance(text, str) else text
    return hashlib.sha256(data).hexdigest()


async def _take(connection: AsyncConnection, call: Call) -> Taken:
    marks = [mark for mark in (call.key_mark, call.signature_mark) if mark]
    rows = await _rows(connection, call.hook, marks)
    found = rows.get(call.key_mark)
    if found is not None and found["body"] != call.body:
        raise HookConflict
    if found is None:
        found = rows.get(call.signature_mark)
        if found is not None and found["workflow_id"]:
            raise HookReplayed
    taken = Taken(
        found["execution_id"] if found is not None else call.execution_id,
        found["workflow_id"] if found is not None else "",
    )
    for mark in marks:
        if mark not in rows:
            await _note(connection, call, mark, taken)
    return taken


async def _rows(
    connection: AsyncConnection, hook: str, marks: Sequence[str]
) -> dict[str, sa.RowMapping]:
    # What has expired is as good as deleted: when it goes is a matter of upkeep.
    query = sa.select(hook_marks).where(
        hook_marks.c.hook == hook, hook_marks.c.mark.in_(marks)
    )
    found = (await connection.execute(query)).mappings().all()
    now = time.time()
    expired = [row["mark"] for row in found if row["expires_at"] < now]
    if expired:
        await connection.execute(
            sa.delete(hook_marks).where(
                hook_marks.c.hook == hook, hook_marks.c.mark.in_(expired)
            )
        )
    return {row["mark"]: row for row in found if row["mark"] not in expired}


async def _note(
    connection: AsyncConnection, call: Call, mark: str, taken: Taken
) -> None:
    is_key = mark == call.key_mark
    lifetime = IDEMPOTENCY_SECONDS if is_key else call.remember_seconds
    await connection.execute(
        sa.insert(hook_marks).values(
            hook=call.hook,
            mark=mark,
            body=call.body,
            execution_id=taken.execution_id,
            workflow_id=taken.workflow_id,
            expires_at=time.time() + lifetime,
        )
    )
