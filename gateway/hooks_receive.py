"""`POST /hooks/{key}`: a sender's call starts an execution.

The order of the checks is the order of what they give away and cost: address, size,
signature, time, rate, form, repetition, start. A key that does not exist goes the same
way as one that does, up to the signature, and is answered the same as a hook that is
switched off.
"""

import logging
import secrets
import time
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request
from pydantic import ValidationError

from contracts.events import EventRequest, Trigger
from contracts.graphs import GraphRequest
from contracts.hooks import DEFAULT_HOOK_BODY_BYTES, HookAccepted, is_allowed
from contracts.signatures import SIGNATURE_HEADER, is_signed, signature
from contracts.validation import problems_of, sentence
from gateway.errors import GatewayError, RateLimited
from gateway.hooks import Hook
from gateway.hooks_body import input_of, read_body
from gateway.hooks_check import Proof, prove
from gateway.hooks_errors import (
    HookAddressBlocked,
    HookError,
    HookInputRefused,
    HooksUnavailable,
    HookUnknown,
)
from gateway.hooks_ledger import Call, Taken, digest
from gateway.models import ErrorAnswer
from gateway.rates import address_key
from gateway.services import Services, services_of

logger = logging.getLogger(__name__)

# Of one address at one hook: far above what a sender in trouble does by itself.
_REFUSALS_PER_MINUTE, _REFUSALS_AT_ONCE = 120, 60
_NOBODY = [secrets.token_bytes(32)]
_REASONS = {
    400: "The body is not what its type says; the message has the place.",
    401: "No signature, a wrong one, or one of another time.",
    403: "The caller's address is not on the hook's list.",
    404: "No such hook, or it is switched off.",
    409: "Taken before, or the idempotency key belongs to another body.",
    413: "The body is too large.",
    415: "Neither JSON nor a form nor text.",
    422: "The body cannot be the event's input.",
    429: "Too many calls; `Retry-After` says when to come again.",
    503: "Nothing can be started now; send the same call again.",
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": text}
    for status, text in _REASONS.items()
}
_TEXT = {"schema": {"type": "string"}}
_BODY = {
    "requestBody": {
        "description": "Becomes the input of the event.",
        "required": False,
        "content": {
            "application/json": {"schema": {}},
            "application/x-www-form-urlencoded": {"schema": {"type": "object"}},
            "text/plain": _TEXT,
        },
    }
}

router = APIRouter(tags=["webhooks"])

Key = Annotated[str, Path(max_length=200, description="The key of the hook.")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="A text per call, kept for its retries: they start nothing anew.",
    ),
]
Delivery = Annotated[
    str | None,
    Header(
        alias="X-GitHub-Delivery",
        max_length=200,
        description="Taken for the idempotency key when there is none.",
    ),
]


@router.post(
    "/hooks/{key}",
    status_code=202,
    summary="Start an execution by a webhook",
    responses=_ANSWERS,
    openapi_extra=_BODY,
)
async def receive(
    key: Key,
    request: Request,
    idempotency_key: IdempotencyKey = None,
    delivery: Delivery = None,
) -> HookAccepted:
    """Take a signed call; its body becomes the input of the hook's event."""
    services = services_of(request)
    reception = _Reception(services, request, key)
    try:
        answer = await reception.take(idempotency_key or delivery or "")
    except GatewayError as error:
        services.metrics.hook_calls.labels(error.type).inc()
        raise
    outcome = "duplicate" if answer.duplicate else "started"
    services.metrics.hook_calls.labels(outcome).inc()
    return answer


class _Reception:
    """One call on its way through the checks."""

    def __init__(self, services: Services, request: Request, key: str) -> None:
        self._services = services
        self._request = request
        self._key = key
        self._address = request.client.host if request.client else ""

    async def take(self, idempotency_key: str) -> HookAccepted:
        """Check the call and start what it asks for, once."""
        body, hook, proof = await self._proven()
        spec = hook.spec
        self._count(("hook", spec.id), spec.calls_per_minute, spec.burst)
        value = input_of(spec, self._request.headers, body)
        call = Call(
            hook=spec.id,
            salt=digest(self._key),
            identity=proof.identity,
            remember_seconds=proof.remember_seconds,
            body=digest(body),
            idempotency_key=idempotency_key,
        )
        order = _order(hook, call.execution_id, value)
        starts = self._services.config.starts
        if starts is None:
            raise HooksUnavailable(
                "This gateway starts nothing.",
                hint="Run it with `cronium gateway`, which connects it to Temporal.",
            )
        taken = await self._services.ledger.take(call)
        if taken.workflow_id:
            return self._accepted(taken, duplicate=True)
        order = order.model_copy(update={"execution_id": taken.execution_id})
        workflow_id = await starts.start(order)
        await self._services.ledger.started(spec.id, taken, workflow_id)
        logger.info("Hook %s started %s", spec.id, taken.execution_id)
        return self._accepted(Taken(taken.execution_id, workflow_id))

    async def _proven(self) -> tuple[bytes, Hook, Proof]:
        hook = await self._services.hooks.by_key(self._key)
        if hook is not None and not hook.spec.enabled:
            hook = None
        place = ("refused", digest(self._key), address_key(self._address))
        limits = _REFUSALS_PER_MINUTE, _REFUSALS_AT_ONCE
        wait = self._services.rates.wait(place, *limits)
        if wait > 0:
            raise RateLimited(wait)
        try:
            return await self._checked(hook)
        except HookError as error:
            self._services.rates.take(place, *limits)
            name = hook.spec.id if hook else "(unknown)"
            logger.warning("Hook %s: %s from %s", name, error.type, self._address)
            raise

    async def _checked(self, hook: Hook | None) -> tuple[bytes, Hook, Proof]:
        if hook is not None and not is_allowed(self._address, hook.spec.allow_from):
            raise HookAddressBlocked
        most = hook.spec.max_body_bytes if hook else DEFAULT_HOOK_BODY_BYTES
        body = await read_body(self._request, most)
        if hook is None:
            # As much work as for a hook that is there.
            _prove_nothing(self._request, body)
            raise HookUnknown
        headers = self._request.headers
        return body, hook, prove(hook.spec, hook.secrets, headers, body, time.time())

    def _count(self, key: tuple[str, str], per_minute: int, burst: int) -> None:
        wait = self._services.rates.take(key, per_minute, burst)
        if wait > 0:
            raise RateLimited(wait)

    def _accepted(self, taken: Taken, *, duplicate: bool = False) -> HookAccepted:
        base = self._services.config.public_url.rstrip("/")
        return HookAccepted(
            execution_id=taken.execution_id,
            workflow_id=taken.workflow_id,
            duplicate=duplicate,
            links={
                "execution": f"{base}/api/executions/{taken.execution_id}",
                "logs": f"{base}/logs/{taken.execution_id}",
            },
        )


def _prove_nothing(request: Request, body: bytes) -> None:
    """Spend what checking a signature costs; the outcome is of no interest."""
    given = request.headers.get(SIGNATURE_HEADER, "")
    is_signed(given, [signature(secret, "0", body) for secret in _NOBODY])


def _order(hook: Hook, execution_id: str, value: Any) -> EventRequest | GraphRequest:
    spec = hook.spec
    fields: dict[str, Any] = {
        "execution_id": execution_id,
        "input": value,
        "trigger": Trigger.WEBHOOK,
        "user": spec.user,
        "priority": spec.priority,
    }
    try:
        if spec.workflow is not None:
            return GraphRequest(workflow=spec.workflow, **fields)
        assert spec.event is not None
        return EventRequest(event=spec.event, **fields)
    except ValidationError as error:
        model = EventRequest if spec.workflow is None else GraphRequest
        raise HookInputRefused(sentence(problems_of(error, model))) from None
