"""The REST API of webhooks, for service tokens: a hook starts events of anybody."""

import time
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Security
from fastapi.security import HTTPBearer

from contracts.hooks import (
    HookCreated,
    HookDeleted,
    HookInfo,
    HookPage,
    HookSignature,
    HookSpec,
    RotateHook,
    SignedHook,
    SignHook,
)
from contracts.limits import MAX_ID_LENGTH
from contracts.names import ID_PATTERN
from contracts.signatures import (
    GITHUB_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    github_signature,
    signature,
)
from gateway.access import HOOK_KEEPERS, claims_of
from gateway.errors import InvalidPath
from gateway.hooks import Hooks
from gateway.models import ErrorAnswer
from gateway.services import services_of

_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorAnswer, "description": "The body is not text in UTF-8."},
    401: {"model": ErrorAnswer, "description": "No token, or not a service's."},
    404: {"model": ErrorAnswer, "description": "There is no such hook."},
    409: {"model": ErrorAnswer, "description": "There is a hook of this id already."},
    413: {"model": ErrorAnswer, "description": "The body is too large."},
    422: {"model": ErrorAnswer, "description": "A field breaks a rule."},
    503: {"model": ErrorAnswer, "description": "The database does not answer."},
}
_bearer = HTTPBearer(auto_error=False, description="A token of the gateway.")

router = APIRouter(
    prefix="/api/hooks",
    tags=["webhooks"],
    responses=_ERRORS,
    dependencies=[Security(_bearer)],
)


def _hooks(request: Request) -> Hooks:
    claims_of(request, HOOK_KEEPERS)
    return services_of(request).hooks


Store = Annotated[Hooks, Depends(_hooks)]
Id = Annotated[str, Path(max_length=MAX_ID_LENGTH, pattern=ID_PATTERN)]


@router.get("", summary="List webhooks")
async def list_hooks(store: Store) -> HookPage:
    """Return all hooks, without their secrets."""
    return HookPage(hooks=await store.all())


@router.post("", summary="Make a webhook", status_code=201)
async def create_hook(body: HookSpec, store: Store) -> HookCreated:
    """Store a hook; its secret is in this answer and never again."""
    return await store.create(body)


@router.get("/{hook}", summary="Show a webhook")
async def show_hook(hook: Id, store: Store) -> HookInfo:
    """Return one hook, without its secret."""
    return await store.get(hook)


@router.put("/{hook}", summary="Change a webhook")
async def replace_hook(hook: Id, body: HookSpec, store: Store) -> HookInfo:
    """Change everything but address and secret."""
    if body.id != hook:
        raise InvalidPath("body.id: expected the id that is in the address.")
    return await store.replace(body)


@router.delete("/{hook}", summary="Delete a webhook")
async def delete_hook(hook: Id, store: Store) -> HookDeleted:
    """Delete a hook; its address and secret are worth nothing from now on."""
    return HookDeleted(deleted=await store.delete(hook))


@router.post("/{hook}/rotate", summary="Give a webhook a new secret")
async def rotate_hook(hook: Id, body: RotateHook, store: Store) -> HookCreated:
    """Return the new secret, once; the one before is taken for `graceSeconds`."""
    return await store.rotate(hook, body.grace_seconds)


@router.post("/{hook}/sign", summary="Sign a call of a webhook, for a test")
async def sign_hook(hook: Id, body: SignHook, store: Store) -> SignedHook:
    """Return address and headers with which this body is a genuine call now."""
    found, info = await store.opened(hook), await store.get(hook)
    secret, data = found.secrets[0], body.body.encode()
    if HookSignature.CRONIUM in found.spec.signatures:
        now = str(int(time.time()))
        headers = {
            TIMESTAMP_HEADER: now,
            SIGNATURE_HEADER: signature(secret, now, data),
        }
    else:
        headers = {GITHUB_HEADER: github_signature(secret, data)}
    return SignedHook(url=info.url, headers=headers)
