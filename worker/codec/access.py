"""Who may have payloads opened: the codec server is as good as the keys themselves.

Programs and proxies send a token. A page must come from a web UI that the operator has
named, in any case: without that, any site could ask in the name of its visitor.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from starlette.requests import HTTPConnection

from gateway.errors import GatewayError, TokenRefused
from gateway.tokens import Scope, verify
from worker.codec.peers import is_own_user

GOOD_SCOPES = frozenset({Scope.CODEC, Scope.SERVICE})


class PageRefused(GatewayError):
    """A page of another origin asks."""

    http_status: ClassVar[int] = 403
    hint = (
        "Name the web UI's origin in CRONIUM_CODEC_ORIGINS, as https://ui.example.org"
    )


@dataclass(frozen=True, slots=True)
class Access:
    """The rules of one codec server.

    Args:
        secret: Returns what verifies tokens; asked each time, since it may change.
        origins: Web UIs whose pages may ask.
        trust_own_user: Whether processes of our user on this machine need no token.
    """

    secret: Callable[[], str]
    origins: tuple[str, ...] = ()
    trust_own_user: bool = False

    def check(self, connection: HTTPConnection) -> None:
        """Let a request through.

        Raises:
            PageRefused: It comes from a page of another origin.
            TokenRefused: It has no token, or not a good one.
        """
        origin = connection.headers.get("origin")
        if origin is not None and origin not in self.origins:
            raise PageRefused("This page may not have payloads opened.")
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            scope = verify(self.secret(), token.strip()).scope
            if scope not in GOOD_SCOPES:
                raise TokenRefused(f"A token of scope {scope} opens no payloads.")
        elif not (self.trust_own_user and _from_own_user(connection)):
            raise TokenRefused(
                "The request has no token.",
                hint="`cronium codec token` makes one; send it as a bearer token.",
            )


def _from_own_user(connection: HTTPConnection) -> bool:
    server, client = connection.scope.get("server"), connection.client
    if client is None or not server or server[1] is None:
        return False
    return is_own_user((client.host, client.port), (server[0], server[1]))
