"""What went wrong, in words that tell the user what to do and hold no value."""

import os
import ssl
from collections.abc import Iterator

import httpcore

from contracts.errors import ErrorInfo, HttpError, ScriptError

# A client error is not cured by sending the same again, but for these: timeout,
# conflict, locked, too early, too many requests.
PASSING_STATUSES = frozenset({408, 409, 423, 425, 429})
WAITED_FOR = {
    "dns": "the name server",
    "connect": "the connection",
    "tls": "the TLS handshake",
    "write": "the server to take the request",
    "read": "the answer",
}


class ExchangeFailed(Exception):
    """An exchange that cannot go on.

    Args:
        info: Why, for the result.
    """

    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(info.message)
        self.info = info


def name_unknown(host: str, reason: str) -> ExchangeFailed:
    """Return the error of a name that has no address."""
    return _failed(
        HttpError.NAME_UNKNOWN,
        f"The name {host} has no address: {reason}.",
        "Correct the host in the URL, or the worker's name servers.",
        retryable=True,
    )


def address_refused(host: str, kind: str) -> ExchangeFailed:
    """Return the error of a host that may not be reached; nothing was sent to it."""
    return _failed(
        HttpError.ADDRESS_REFUSED,
        f"{host} has a {kind} address, which requests may not be sent to.",
        "If this host is meant, ask the operator to add it to http.allowed_hosts.",
    )


def redirect_refused(why: str) -> ExchangeFailed:
    """Return the error of a redirect that is not followed."""
    return _failed(
        HttpError.REDIRECT_REFUSED,
        f"The server redirects {why}.",
        "Use the URL that it leads to, or `redirects: 0` to take it as the answer.",
    )


def too_many_redirects(limit: int) -> ExchangeFailed:
    """Return the error of a chain of redirects that does not end."""
    return _failed(
        HttpError.TOO_MANY_REDIRECTS,
        f"The server redirects more than {limit} times.",
        "Use the final URL, or raise http.redirects.",
    )


def broken(why: str) -> ErrorInfo:
    """Return the error of an answer that is not one."""
    return ErrorInfo(
        type=HttpError.RESPONSE_BROKEN,
        message=f"The answer is broken: {why}.",
        hint="The server, or something in between, does not keep to HTTP.",
        retryable=True,
    )


def timed_out(phase: str, seconds: float, field: str) -> ErrorInfo:
    """Return the error of an exchange that took too long.

    Args:
        phase: What was waited for; a key of `WAITED_FOR`.
        seconds: The limit.
        field: The field of the event that sets it.
    """
    return ErrorInfo(
        type=HttpError.TIMEOUT,
        message=f"Timed out after {seconds:g} s, waiting for {WAITED_FOR[phase]}.",
        hint=f"Raise {field}, or find out why the server is slow.",
        retryable=True,
    )


def cancelled() -> ErrorInfo:
    """Return the error of a request that somebody cancelled."""
    return ErrorInfo(
        type=ScriptError.CANCELLED, message="The run was cancelled on request."
    )


def bad_status(status: int, wanted: list[str]) -> ErrorInfo:
    """Return the error of an answer whose status is no success."""
    return ErrorInfo(
        type=HttpError.STATUS,
        message=f"The server answered {status}; success is {', '.join(wanted)}.",
        hint="Its body may say why; http.successStatuses decides what success is.",
        retryable=status >= 500 or status in PASSING_STATUSES,
    )


def explain(error: Exception, phase: str, peer: str) -> ErrorInfo:
    """Return what an error of the connection means.

    Args:
        error: What httpcore raised.
        phase: What was under way.
        peer: The address that was connected to.
    """
    if phase == "tls":
        return _tls(error)
    if phase in ("dns", "connect"):
        return ErrorInfo(
            type=HttpError.CONNECT_FAILED,
            message=f"No connection to {peer}: {_reason(error)}.",
            hint="Check host and port, and that the worker may reach them.",
            retryable=True,
        )
    if isinstance(error, httpcore.RemoteProtocolError):
        # h11's own words, which may quote a piece of the server's answer, stay here.
        return broken("it ends too early or is not HTTP")
    return broken(f"the connection was lost ({_reason(error)})")


def _tls(error: Exception) -> ErrorInfo:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return ErrorInfo(
                type=HttpError.TLS_FAILED,
                message="The server's certificate is refused: "
                f"{cause.verify_message or 'not trusted'}.",
                hint="Correct the certificate, or name its authority in "
                "http.tls.caSecret.",
            )
    return ErrorInfo(
        type=HttpError.TLS_FAILED,
        message=f"No TLS with the server: {_reason(error)}.",
        hint="Check that the port speaks TLS of at least http.tls.minVersion.",
        retryable=True,
    )


def _reason(error: Exception) -> str:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError) and cause.reason:
            return cause.reason.lower().replace("_", " ")
        if isinstance(cause, OSError) and cause.errno:
            # Its own words are asyncio's ("Connect call failed"), not the system's.
            return os.strerror(cause.errno)
    return "the other side closed it"


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        found = waiting.pop(0)
        if id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        if isinstance(found, BaseExceptionGroup):
            waiting += found.exceptions
        waiting += [c for c in (found.__cause__, found.__context__) if c is not None]


def _failed(
    kind: HttpError, message: str, hint: str, retryable: bool = False
) -> ExchangeFailed:
    return ExchangeFailed(
        ErrorInfo(type=kind, message=message, hint=hint, retryable=retryable)
    )
