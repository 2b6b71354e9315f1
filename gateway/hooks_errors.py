"""Why a call of a webhook is not taken: one class per reason, with its HTTP status.

GatewayError
└── HookError
    ├── HookUnknown           404  no such hook, or it is switched off
    ├── HookAddressBlocked    403  the caller's address is not on the list
    ├── HookUnsigned          401  no signature of a form that the hook takes
    ├── HookSignatureInvalid  401  the signature does not fit the body
    ├── HookStale             401  the signed time is too far from now
    ├── HookReplayed          409  this very call was taken before
    ├── HookConflict          409  the idempotency key belongs to another body
    ├── HookExists            409  a hook of this id is there already
    ├── HookBodyTooLarge      413  more bytes than the hook takes
    ├── HookBodyUnsupported   415  neither JSON nor a form nor text
    ├── HookBodyInvalid       400  the body is not what its type says
    ├── HookInputRefused      422  the body cannot be the event's input
    ├── HookSecretLost        503  the secret was sealed under another key
    └── HooksUnavailable      503  nothing can be started now
"""

from gateway.errors import GatewayError

_RETRY_SECONDS = 5


class HookError(GatewayError):
    """A call of a webhook was not taken."""


class HookUnknown(HookError):
    """There is no such hook."""

    http_status = 404
    hint = "Check the address; `cronium hook list` shows the hooks and their state."


class HookAddressBlocked(HookError):
    """Calls of this hook are not taken from the caller's address."""

    http_status = 403
    hint = (
        "Add the address to the hook's `allowFrom`. Behind a proxy, set "
        "CRONIUM_GATEWAY_TRUSTED_PROXIES as well, or all calls seem to be the proxy's."
    )


class HookUnsigned(HookError):
    """The call has no signature of a form that this hook takes."""

    http_status = 401


class HookSignatureInvalid(HookError):
    """The signature does not fit body and secret."""

    http_status = 401
    hint = (
        "Sign the exact bytes that are sent, with the hook's current secret; "
        "docs/webhooks.md has code for it."
    )


class HookStale(HookError):
    """The signed time is too far from the gateway's clock."""

    http_status = 401
    hint = "Sign each call when it is sent, and set the sender's clock (NTP)."


class HookReplayed(HookError):
    """This very call was taken before."""

    http_status = 409
    hint = (
        "Send an `Idempotency-Key` header with each call and keep it for its retries: "
        "they are then answered with the execution that was started."
    )


class HookConflict(HookError):
    """The idempotency key was used for another body before."""

    http_status = 409
    hint = "Make a new key for each call; keep it for the retries of that call alone."


class HookExists(HookError):
    """There is a hook with this id already."""

    http_status = 409
    hint = "Choose another id, or replace the hook: it keeps its address and secret."


class HookBodyTooLarge(HookError):
    """The body has more bytes than this hook takes."""

    http_status = 413
    hint = "Send less, or raise the hook's `maxBodyBytes`."


class HookBodyUnsupported(HookError):
    """The body is neither JSON nor a form nor text."""

    http_status = 415
    hint = (
        "Send application/json, application/x-www-form-urlencoded or text/plain, "
        "in UTF-8."
    )


class HookBodyInvalid(HookError):
    """The body is not what its Content-Type says."""

    http_status = 400
    hint = "Correct the body at the place that is named."


class HookInputRefused(HookError):
    """The body cannot be the input of the hook's event."""

    http_status = 422
    hint = "Send less, or less deeply nested data."


class HookSecretLost(HookError):
    """The hook's secret cannot be opened with the gateway's secret."""

    http_status = 503
    hint = (
        "Bring back the gateway's secret file that the hook was made with, or give "
        "the hook a new secret: `cronium hook rotate`."
    )


class HooksUnavailable(HookError):
    """Nothing can be started now, since Temporal does not answer."""

    http_status = 503
    retryable = True
    hint = "Send the same call again in a moment; it is started once."

    @property
    def headers(self) -> dict[str, str]:
        """When to come again."""
        return {"Retry-After": str(_RETRY_SECONDS)}
