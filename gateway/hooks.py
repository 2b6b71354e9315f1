"""The hooks themselves: made, found by their key, changed, given new secrets.

The key of a hook is found by a digest; key and secrets are sealed under the gateway's
own secret, so that whoever reads the database can neither call a hook nor sign.
"""

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from contracts.hooks import HookCreated, HookInfo, HookSpec
from gateway.hooks_errors import HookExists, HookSecretLost, HookUnknown
from gateway.hooks_ledger import digest
from gateway.hooks_writing import Writing
from gateway.schema import hook_marks, hooks
from gateway.sealing import SealBroken, is_current, seal, unseal

# 192 bits for the address and 256 for the signature: neither can be guessed.
_KEY_BYTES, _SECRET_BYTES = 24, 32
_SECRET_PREFIX = "crnhook_"


@dataclass(frozen=True, slots=True)
class Hook:
    """One hook with the secrets that are valid now."""

    spec: HookSpec
    secrets: list[bytes]


class Hooks:
    """The hooks of one gateway's database.

    Args:
        writing: The database.
        secret: Returns the gateway's secret of now.
        base_url: Where senders reach the gateway, without a slash at the end.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        writing: Writing,
        secret: Callable[[], str],
        base_url: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._writing = writing
        self._secret = secret
        self._base_url = base_url
        self.clock = clock

    async def create(self, spec: HookSpec) -> HookCreated:
        """Store a new hook; raises HookExists."""
        key, secret = secrets.token_urlsafe(_KEY_BYTES), _new_secret()
        now = self.clock()
        row = {
            "id": spec.id,
            "key_digest": digest(key),
            "key_sealed": seal(self._secret(), _place(spec.id, "key"), key),
            "spec": spec.model_dump_json(),
            "secrets": json.dumps([[self._sealed(spec.id, secret), None]]),
            "created_at": now,
            "updated_at": now,
        }
        try:
            async with self._writing.begin() as connection:
                await connection.execute(sa.insert(hooks).values(row))
        except IntegrityError:
            raise HookExists from None
        return HookCreated(**dict(self._info(row)), secret=secret)

    async def replace(self, spec: HookSpec) -> HookInfo:
        """Change all of a hook but its address and secrets; raises HookUnknown."""
        row = await self._row(spec.id)
        changed = {
            "spec": spec.model_dump_json(),
            "updated_at": self.clock(),
        }
        await self._update(spec.id, changed)
        return self._info({**row, **changed})

    async def rotate(self, identifier: str, grace_seconds: float) -> HookCreated:
        """Give a hook a new secret; the current one is good for a while longer.

        Raises HookUnknown.
        """
        while True:
            row = await self._row(identifier)
            secret, now = _new_secret(), self.clock()
            kept = [[sealed, now + grace_seconds] for sealed, _ in _valid(row, now)[:1]]
            fresh = [[self._sealed(identifier, secret), None]]
            changed = {
                "secrets": json.dumps(fresh + (kept if grace_seconds else [])),
                "updated_at": now,
            }
            # A secret that was given out must not be lost to another replacement.
            if await self._update(identifier, changed, row["secrets"]):
                info = self._info({**row, **changed})
                return HookCreated(**dict(info), secret=secret)

    async def delete(self, identifier: str) -> bool:
        """Delete a hook; return whether there was one."""
        async with self._writing.begin() as connection:
            await connection.execute(
                sa.delete(hook_marks).where(hook_marks.c.hook == identifier)
            )
            done = await connection.execute(
                sa.delete(hooks).where(hooks.c.id == identifier)
            )
            return done.rowcount > 0

    async def get(self, identifier: str) -> HookInfo:
        """Return a hook; raises HookUnknown."""
        return self._info(await self._row(identifier))

    async def all(self) -> list[HookInfo]:
        """Return all hooks in order of their ids."""
        async with self._writing.read() as connection:
            found = await connection.execute(sa.select(hooks).order_by(hooks.c.id))
            return [self._info(row) for row in found.mappings()]

    async def by_key(self, key: str) -> Hook | None:
        """Return the hook with this key; raises HookSecretLost."""
        query = sa.select(hooks).where(hooks.c.key_digest == digest(key))
        async with self._writing.read() as connection:
            row = (await connection.execute(query)).mappings().first()
        return None if row is None else self._opened(row)

    async def opened(self, identifier: str) -> Hook:
        """Return a hook with its secrets; raises HookUnknown, HookSecretLost."""
        return self._opened(await self._row(identifier))

    async def reseal(self) -> int:
        """Seal anew what is sealed under a former key; return how many hooks."""
        async with self._writing.read() as connection:
            rows = (await connection.execute(sa.select(hooks))).mappings().all()
        done = 0
        for row in rows:
            if is_current(self._secret(), _place(row["id"], "key"), row["key_sealed"]):
                continue
            try:
                resealed = self._resealed(row)
            except SealBroken:
                # Its own call says what to do; the others need not wait for that.
                continue
            done += await self._update(row["id"], resealed, row["secrets"])
        return done

    def _resealed(self, row: Any) -> dict[str, Any]:
        secret, name = self._secret(), row["id"]
        key = unseal(secret, _place(name, "key"), row["key_sealed"])
        fresh = [
            [self._sealed(name, unseal(secret, _place(name, "secret"), sealed)), until]
            for sealed, until in json.loads(row["secrets"])
        ]
        return {
            "key_sealed": seal(secret, _place(name, "key"), key),
            "secrets": json.dumps(fresh),
        }

    def _opened(self, row: Any) -> Hook:
        place = _place(row["id"], "secret")
        try:
            found = [
                unseal(self._secret(), place, sealed).encode()
                for sealed, _ in _valid(row, self.clock())
            ]
        except SealBroken:
            raise HookSecretLost from None
        return Hook(HookSpec.model_validate_json(row["spec"]), found)

    def _info(self, row: Any) -> HookInfo:
        try:
            key = unseal(self._secret(), _place(row["id"], "key"), row["key_sealed"])
        except SealBroken:
            # The hook must still be shown, or nobody could rotate or delete it.
            key = "…"
        return HookInfo(
            hook=HookSpec.model_validate_json(row["spec"]),
            url=f"{self._base_url}/hooks/{key}",
            created_at=datetime.fromtimestamp(row["created_at"], UTC),
            updated_at=datetime.fromtimestamp(row["updated_at"], UTC),
            secrets=len(_valid(row, self.clock())),
        )

    def _sealed(self, identifier: str, secret: str) -> str:
        return seal(self._secret(), _place(identifier, "secret"), secret)

    async def _row(self, identifier: str) -> sa.RowMapping:
        query = sa.select(hooks).where(hooks.c.id == identifier)
        async with self._writing.read() as connection:
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            raise HookUnknown
        return row

    async def _update(
        self, identifier: str, changed: dict[str, Any], before: str | None = None
    ) -> bool:
        """Change a row, with `before` only while its secrets are these."""
        change = sa.update(hooks).where(hooks.c.id == identifier).values(changed)
        if before is not None:
            change = change.where(hooks.c.secrets == before)
        async with self._writing.begin() as connection:
            return (await connection.execute(change)).rowcount > 0


def _valid(row: Any, now: float) -> list[tuple[str, float | None]]:
    return [
        (sealed, until)
        for sealed, until in json.loads(row["secrets"])
        if until is None or until > now
    ]


def _place(identifier: str, what: str) -> str:
    return f"hook/{identifier}/{what}"


def _new_secret() -> str:
    return _SECRET_PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
