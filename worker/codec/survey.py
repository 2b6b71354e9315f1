"""What a worker asks Temporal before it takes work: can it read what is running?

A worker without keys beside encrypted runs is set up wrongly for certain, so it takes
nothing until it has some. One that lacks only a certain key works on, and says so: a
single stranger's payload must not stop a fleet.
"""

import asyncio
import contextlib
import logging

from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.service import RPCError

from contracts.encryption_errors import EncryptionKeyMissing
from worker.codec.payloads import is_encrypted, key_id_of
from worker.codec.ring import KeyRing

logger = logging.getLogger(__name__)

RUNNING = "ExecutionStatus = 'Running'"
# Enough to see how a namespace is used; each costs one small call.
MOST_LOOKED_AT = 10
RETRY_SECONDS = 5.0


async def wait_until_readable(client: Client, ring: KeyRing) -> None:
    """Return when this process may take work; log what it cannot read.

    What is missing is noted in the ring, whose `problem` says it.
    """
    told: set[str] = set()
    while True:
        missing = await unreadable_keys(client, ring)
        if missing - told:
            logger.error(
                "executions run that were encrypted with keys that are not here: %s",
                ", ".join(sorted(missing)),
            )
        told |= missing
        if not missing or ring.encrypts:
            return
        await asyncio.sleep(RETRY_SECONDS)


async def unreadable_keys(client: Client, ring: KeyRing) -> set[str]:
    """Return the ids of the keys of running executions that the ring lacks."""
    missing = set()
    for key_id in await keys_in_use(client):
        # Asked for as a payload would, so that what is missed is noted.
        try:
            ring.key(key_id)
        except EncryptionKeyMissing:
            missing.add(key_id)
    return missing


async def keys_in_use(client: Client, most: int = MOST_LOOKED_AT) -> set[str]:
    """Return the ids of the keys that the newest running executions began with.

    Empty as well when this account may not list executions.
    """
    found: set[str] = set()
    try:
        async for execution in client.list_workflows(RUNNING, limit=most):
            # It may have ended and been removed meanwhile.
            with contextlib.suppress(RPCError):
                given = await input_of(client, execution.id, execution.run_id)
                found |= {key_id_of(item) for item in given if is_encrypted(item)}
    except RPCError as error:
        logger.warning("cannot see which keys are in use: %s", error.message)
    return found


async def input_of(client: Client, workflow_id: str, run_id: str) -> list[Payload]:
    """Return what an execution was started with, as Temporal has it.

    Raises:
        RPCError: Temporal does not say.
    """
    handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    first = await anext(aiter(handle.fetch_history_events(page_size=1)), None)
    if first is None:
        return []
    return list(first.workflow_execution_started_event_attributes.input.payloads)
