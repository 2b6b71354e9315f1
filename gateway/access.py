"""Who may do what: finds the token of a request and compares it with what is asked.

What a caller may not see does not exist for that caller: the answer for another user's
execution is the answer for an unknown one.
"""

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from starlette.requests import HTTPConnection

from gateway.auditing import audit_refusal
from gateway.errors import (
    ExecutionNotFound,
    OriginRefused,
    RateLimited,
    TokenRefused,
)
from gateway.services import services_of
from gateway.tokens import Claims, Scope, verify

BEARER_SUBPROTOCOL = "bearer."
READERS = frozenset({Scope.SERVICE, Scope.USER, Scope.EXECUTION})
VARIABLE_USERS = frozenset({Scope.SERVICE, Scope.USER})
WRITERS = frozenset({Scope.SERVICE, Scope.INGEST})
HOOK_KEEPERS = frozenset({Scope.SERVICE})
# The others are our own processes and the app, which speak for everybody.
_COUNTED = frozenset({Scope.USER, Scope.EXECUTION})
_BURST_PART = 6


def claims_of(
    connection: HTTPConnection,
    scopes: frozenset[Scope],
    *,
    browser: bool = False,
) -> Claims:
    """Return the verified claims of a request; raises TokenRefused or RateLimited.

    `browser` also allows the places that a page can fill when it opens a WebSocket.
    """
    services = services_of(connection)
    try:
        claims = _verified(connection, scopes, browser)
    except TokenRefused as refusal:
        audit_refusal(connection, refusal)
        raise
    limit = services.config.requests_per_minute
    if limit and claims.scope in _COUNTED:
        caller = (claims.scope, claims.subject)
        wait = services.rates.take(caller, limit, max(1, limit // _BURST_PART))
        if wait > 0:
            raise RateLimited(wait)
    return claims


def _verified(
    connection: HTTPConnection, scopes: frozenset[Scope], browser: bool
) -> Claims:
    token = _header_token(connection) or (_browser_token(connection) if browser else "")
    if not token:
        raise TokenRefused("The request has no token.")
    claims = verify(services_of(connection).secret, token)
    if claims.scope not in scopes:
        allowed = " or ".join(sorted(scopes))
        raise TokenRefused(
            f"A token of scope {claims.scope} is not good for this; {allowed} is."
        )
    return claims


def check_origin(connection: HTTPConnection) -> None:
    """Raise OriginRefused for a page that is neither ours nor of a known origin.

    Browsers ask nobody before they open a WebSocket, so CORS does not cover it.
    Programs that are no browsers name no origin. On one machine, by its loopback name,
    an app under development is no stranger.
    """
    origin = connection.headers.get("origin")
    if origin is None or origin in services_of(connection).config.cors_origins:
        return
    theirs = urlsplit(origin)
    ours = urlsplit("//" + connection.headers.get("host", ""))
    same = theirs.netloc.lower() == ours.netloc.lower()
    if not same and not (_is_loopback(theirs) and _is_loopback(ours)):
        raise OriginRefused


def _is_loopback(parts: SplitResult) -> bool:
    try:
        host = parts.hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def may_see(claims: Claims, execution_id: str, user: str) -> bool:
    """Return whether the caller may see an execution of `user`."""
    match claims.scope:
        case Scope.SERVICE:
            return True
        case Scope.USER:
            # No record has come yet while the user is "": nobody's, so far.
            return bool(user) and claims.subject == user
        case Scope.EXECUTION:
            return claims.subject == execution_id
        case Scope.INGEST | Scope.CODEC:
            return False


def owns(claims: Claims, user: str) -> bool:
    """Return whether the caller may read and write the variables of `user`."""
    if claims.scope is Scope.USER:
        return claims.subject == user
    return claims.scope is Scope.SERVICE


def check_may_see(claims: Claims, execution_id: str, user: str) -> None:
    """Raise ExecutionNotFound unless the caller may see the execution."""
    if not may_see(claims, execution_id, user):
        raise ExecutionNotFound


def chosen_subprotocol(offered: list[str]) -> str | None:
    """Return the subprotocol to answer with: browsers insist on one of theirs."""
    return next(
        (name for name in offered if not name.startswith(BEARER_SUBPROTOCOL)),
        offered[0] if offered else None,
    )


def _header_token(connection: HTTPConnection) -> str:
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _browser_token(connection: HTTPConnection) -> str:
    for name in connection.scope.get("subprotocols", ()):
        if name.startswith(BEARER_SUBPROTOCOL):
            return str(name.removeprefix(BEARER_SUBPROTOCOL))
    return connection.query_params.get("token", "")
