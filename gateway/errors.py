"""The gateway's own branch of the error tree, with its HTTP statuses.

CroniumError
└── GatewayError
    ├── TokenRefused         401  no token, or one that is not good for this
    ├── ExecutionNotFound    404  unknown, or not the caller's
    ├── OriginRefused             a page of an origin that is not configured
    ├── RateLimited          429  too many requests; says when to come again
    ├── InvalidPath          422  address and body do not fit each other
    ├── GatewayNotReady      503  a part that is needed does not work
    ├── StorageFailed        503  the database did not take the records
    ├── RecordRefused             one ingest record cannot be stored as it is
    └── HookError                 see `gateway.hooks_errors`
"""

import math
from typing import ClassVar

from contracts.errors import CroniumError


class GatewayError(CroniumError):
    """Something the gateway could not do."""

    http_status: ClassVar[int] = 500
    close_code: ClassVar[int] = 1011

    @property
    def headers(self) -> dict[str, str]:
        """What an HTTP answer says besides its body."""
        return {}


class TokenRefused(GatewayError):
    """The request has no token, or one that is not good for this."""

    http_status = 401
    close_code = 4401
    hint = "Send `Authorization: Bearer <token>` with a fresh token of the right scope."

    @property
    def headers(self) -> dict[str, str]:
        """The challenge that HTTP wants with a 401."""
        return {"WWW-Authenticate": 'Bearer realm="cronium"'}


class ExecutionNotFound(GatewayError):
    """There is no such execution."""

    http_status = 404
    close_code = 4404
    hint = "Check the execution id; executions of other users are not shown."


class OriginRefused(GatewayError):
    """A web page of another origin opened the WebSocket."""

    http_status = 403
    close_code = 4403
    hint = "Add the page's origin to CRONIUM_GATEWAY_CORS_ORIGINS."


class RateLimited(GatewayError):
    """There were too many requests."""

    http_status = 429
    close_code = 4429
    retryable = True
    hint = "Wait as long as the `Retry-After` header says."

    def __init__(self, wait: float) -> None:
        super().__init__(f"Too many requests: come again in {math.ceil(wait)} s.")
        self.wait = wait
        """Seconds until the next request is taken."""

    @property
    def headers(self) -> dict[str, str]:
        """When to come again, in whole seconds as HTTP has it."""
        return {"Retry-After": str(max(1, math.ceil(self.wait)))}


class InvalidPath(GatewayError):
    """Address and body do not fit each other."""

    http_status = 422
    hint = "Send the body to its own address."


class GatewayNotReady(GatewayError):
    """A part of the gateway that is needed does not work."""

    http_status = 503
    retryable = True
    hint = "See the gateway's own log; the part that failed is named in the message."


class StorageFailed(GatewayError):
    """The database did not take the records."""

    http_status = 503
    close_code = 1013
    retryable = True
    hint = "Check the database and its disk; senders keep their lines and try again."


class RecordRefused(GatewayError):
    """One ingest record cannot be stored as it is."""

    def __init__(self, identifier: int, reason: str) -> None:
        super().__init__(reason)
        self.identifier = identifier
