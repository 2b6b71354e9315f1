"""The REST API of variables."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Security
from fastapi.security import HTTPBearer

from contracts.errors import VariableNotFound
from contracts.limits import MAX_ID_LENGTH
from contracts.names import ID_PATTERN
from gateway.access import VARIABLE_USERS, claims_of, owns
from gateway.arithmetic import appended, incremented, replaced
from gateway.models import (
    AppendVariable,
    ErrorAnswer,
    IncrementVariable,
    SetVariable,
    Variable,
    VariableDeleted,
    VariablePage,
)
from gateway.services import services_of
from gateway.variables import Call, Variables

_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorAnswer, "description": "The body is not text in UTF-8."},
    401: {"model": ErrorAnswer, "description": "No token, or not a good one."},
    404: {"model": ErrorAnswer, "description": "Not set, or another user's."},
    409: {"model": ErrorAnswer, "description": "Not what the caller expected."},
    413: {"model": ErrorAnswer, "description": "The body is too large."},
    422: {"model": ErrorAnswer, "description": "A key or value breaks a rule."},
    429: {"model": ErrorAnswer, "description": "Too many requests."},
    503: {"model": ErrorAnswer, "description": "The database does not answer."},
}
_bearer = HTTPBearer(auto_error=False, description="A token of the gateway.")

router = APIRouter(
    prefix="/api/users/{user}/variables",
    tags=["variables"],
    responses=_ERRORS,
    dependencies=[Security(_bearer)],
)

User = Annotated[
    str,
    Path(
        max_length=MAX_ID_LENGTH,
        pattern=ID_PATTERN,
        description="Whose variables: a user's token reaches only that user's own.",
    ),
]
# The whole rest of the path: a key with a slash is refused by name, not by route.
Key = Annotated[str, Path(description="Name of the variable, percent-encoded.")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=100,
        pattern=r"^[\x21-\x7e]+$",
        description="A random text per call: the call sent again is applied once.",
    ),
]


def _variables(user: User, request: Request) -> Variables:
    services = services_of(request)
    claims = claims_of(request, VARIABLE_USERS)
    if not owns(claims, user):
        raise VariableNotFound("The variable is not set.")
    return services.variables


Store = Annotated[Variables, Depends(_variables)]


@router.get("", summary="List variables")
async def list_variables(
    user: User,
    store: Store,
    prefix: Annotated[str, Query(max_length=100)] = "",
    after: Annotated[str, Query(max_length=100, pattern=r"^[A-Za-z0-9_.-]*$")] = "",
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> VariablePage:
    """Return variables in order of keys; fewer than `limit` when they are long."""
    page, following = await store.page(user, prefix=prefix, after=after, limit=limit)
    return VariablePage(variables=page, next_after=following)


@router.post("/{key:path}/increment", summary="Add to a number")
async def increment_variable(
    user: User,
    key: Key,
    body: IncrementVariable,
    store: Store,
    idempotency_key: IdempotencyKey = None,
) -> Variable:
    """Add to a variable atomically; one that is not set starts at 0."""
    call = Call(user, key, "increment", body.model_dump_json(), idempotency_key)
    return await store.change(call, lambda before: incremented(before, body))


@router.post("/{key:path}/append", summary="Add to the end of a string or list")
async def append_variable(
    user: User,
    key: Key,
    body: AppendVariable,
    store: Store,
    idempotency_key: IdempotencyKey = None,
) -> Variable:
    """Append to a string or a list atomically."""
    call = Call(user, key, "append", _asked(body), idempotency_key)
    return await store.change(call, lambda before: appended(before, body))


@router.get("/{key:path}", summary="Show a variable")
async def show_variable(user: User, key: Key, store: Store) -> Variable:
    """Return a variable with its value, version and description."""
    return await store.get(user, key)


@router.put("/{key:path}", summary="Set a variable")
async def set_variable(
    user: User,
    key: Key,
    body: SetVariable,
    store: Store,
    idempotency_key: IdempotencyKey = None,
) -> Variable:
    """Store a value; with `expected`, `expectedVersion` or `ifAbsent` only then."""
    call = Call(user, key, "set", _asked(body), idempotency_key)
    return await store.change(
        call, lambda before: replaced(before, body), body.description
    )


@router.delete("/{key:path}", summary="Delete a variable")
async def delete_variable(
    user: User, key: Key, store: Store, idempotency_key: IdempotencyKey = None
) -> VariableDeleted:
    """Delete a variable; one that is not set is no error."""
    call = Call(user, key, "delete", idempotency_key=idempotency_key)
    return VariableDeleted(deleted=await store.delete(call))


def _asked(body: SetVariable | AppendVariable) -> str:
    # Python's own form: values that cannot be written as JSON are refused later.
    return repr(sorted(body.model_dump(exclude_unset=True).items()))
