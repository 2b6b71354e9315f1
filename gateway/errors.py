"""The gateway's own branch of the error tree, with its HTTP statuses.

CroniumError
└── GatewayError
    ├── TokenRefused         401  no token, or one that is not good for this
    ├── ExecutionNotFound    404  unknown, or not the caller's
    ├── GatewayNotReady      503  a part that is needed does not work
    ├── StorageFailed        503  the database did not take the records
    └── RecordRefused             one ingest record cannot be stored as it is
"""

from typing import ClassVar

from contracts.errors import CroniumError


class GatewayError(CroniumError):
    """Something the gateway could not do."""

    http_status: ClassVar[int] = 500
    close_code: ClassVar[int] = 1011


class TokenRefused(GatewayError):
    """The request has no token, or one that is not good for this."""

    http_status = 401
    close_code = 4401
    hint = "Send `Authorization: Bearer <token>` with a fresh token of the right scope."


class ExecutionNotFound(GatewayError):
    """There is no such execution."""

    http_status = 404
    close_code = 4404
    hint = "Check the execution id; executions of other users are not shown."


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
