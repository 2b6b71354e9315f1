"""What the gateway leaves in the audit log: who read what, and whose token was refused.

A line has the pattern of an address, never the address: that may hold a token.
"""

from starlette.requests import HTTPConnection

from contracts.audit import AuditKind, audit, audited
from gateway.errors import TokenRefused
from gateway.services import services_of
from gateway.tokens import Claims

# Somebody who knocks without end must not fill the disk; all are counted in the metric.
REFUSALS_PER_MINUTE = 120
_REFUSALS = "audit of refusals"
WEBSOCKET = "WebSocket"


def audit_reading(
    kind: AuditKind,
    connection: HTTPConnection,
    claims: Claims,
    execution_id: str,
    user: str,
) -> None:
    """Write down that somebody reads an execution or its log."""
    if audited():
        audit(
            kind,
            by=f"{claims.scope}:{claims.subject}",
            execution_id=execution_id,
            user=user or None,
            **_caller(connection),
        )


def audit_refusal(connection: HTTPConnection, refusal: TokenRefused) -> None:
    """Count a refused token, and write it down unless there are very many."""
    services = services_of(connection)
    services.metrics.tokens_refused.inc()
    if not audited():
        return
    many = services.rates.take(_REFUSALS, REFUSALS_PER_MINUTE, REFUSALS_PER_MINUTE)
    if many <= 0:
        audit(AuditKind.TOKEN_REFUSED, reason=str(refusal), **_caller(connection))


def _caller(connection: HTTPConnection) -> dict[str, str | None]:
    scope = connection.scope
    pattern = getattr(scope.get("route"), "path", "")
    method = scope.get("method", WEBSOCKET)
    address = connection.client.host if connection.client else None
    return {"address": address, "call": f"{method} {pattern}".strip()}
