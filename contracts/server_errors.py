"""The errors of servers that are reached over SSH; a branch of `contracts.errors`."""

from contracts.errors import CroniumError, EngineUnavailable, SandboxFailed


class SshUnavailable(EngineUnavailable):
    """The SSH server cannot be reached now."""

    hint = "Check that the server is up and that the worker may reach it."


class SshConnectFailed(SshUnavailable):
    """The server refused the connection, has no route or name, or cut it off."""

    hint = "Check address, port and firewall, and that sshd runs on the server."


class SshConnectTimeout(SshUnavailable):
    """The server did not take the TCP connection in time."""

    hint = "A firewall may drop the packets; or raise deadlines.connectSeconds."


class SshBannerTimeout(SshUnavailable):
    """The server took the connection, but no SSH handshake came in time."""

    hint = "Check that sshd listens on this port; or raise deadlines.bannerSeconds."


class SshAuthTimeout(SshUnavailable):
    """The server did not answer the login in time."""

    hint = "Look at the server's login modules; or raise deadlines.authSeconds."


class SshIdleTimeout(SshUnavailable):
    """The server went silent on a live connection."""

    hint = "The server may be overloaded; or raise deadlines.idleSeconds."


class SshTotalTimeout(SshUnavailable):
    """All steps of connecting took too long together."""

    hint = "Too many connections may wait for this server; or raise totalSeconds."


class SshBreakerOpen(SshUnavailable):
    """The server failed too often and is left alone for a while."""

    hint = "The last failure is in the message; the server is tried again by itself."


class SshRefused(SandboxFailed):
    """The SSH server answers, but cannot be used as it is."""

    retryable = False


class SshAuthFailed(SshRefused):
    """The server does not accept the credentials."""

    hint = "Check user name and credentials, and the server's own log."


class SshHostKeyChanged(SshRefused):
    """The server's key is not the one that is known: it may be somebody else."""

    hint = (
        "If the server was set up anew, compare the fingerprint on its console, then "
        "put the new key into `hostKeys` or known_hosts. Nothing was sent to it."
    )


class SshHostKeyUnknown(SshRefused):
    """Nobody has vouched for the server's key."""

    hint = (
        "Compare the fingerprint on the server's console, then put the key into "
        "`hostKeys` or known_hosts. Nothing was sent to it."
    )


class SshProtocolError(SshRefused):
    """There is no common algorithm with the server, or it does not speak SSH."""

    hint = "Check the port; an old server may need its algorithm named in `algorithms`."


class SshServerRefused(SshRefused):
    """The server cannot run scripts as it is set up."""


def _with_heirs(kind: type[CroniumError]) -> set[str]:
    return {kind.__name__}.union(*map(_with_heirs, kind.__subclasses__()))


ENGINE_AWAY_TYPES = frozenset(_with_heirs(EngineUnavailable))
"""Types of all errors that say: the place is not there now, and may come back."""
UNREACHABLE_TYPES = frozenset(_with_heirs(SshUnavailable))
"""Those that say it of a server."""
