"""Credentials in a request are taken only if Temporal has that request encrypted.

That the worker has keys is not enough: whoever started the run may have none.
"""

from dataclasses import dataclass

from temporalio.client import Client

from contracts.events import EventRequest
from contracts.inline_secrets import inline_secrets, refuse_inline_secrets
from worker.codec.payloads import is_encrypted
from worker.codec.ring import KeyRing
from worker.codec.survey import input_of


@dataclass(frozen=True, slots=True)
class InlineGuard:
    """Looks at the request of one execution.

    Args:
        client: Temporal.
        ring: The worker's keys.
    """

    client: Client
    ring: KeyRing

    async def check(self, request: EventRequest, workflow_id: str, run_id: str) -> None:
        """Let the request through.

        Raises:
            InlineSecretRefused: It has a credential in it and came as plain text.
            RPCError: Temporal does not say how it came.
        """
        if next(inline_secrets(request.event), None) is None:
            return
        if self.ring.encrypts:
            given = await input_of(self.client, workflow_id, run_id)
            if given and all(map(is_encrypted, given)):
                return
        refuse_inline_secrets(request.event)
