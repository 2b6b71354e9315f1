"""Credentials that stand in an event itself instead of being named.

They are for requests that are encrypted. What counts: logins to servers, the `auth` and
the credential headers of requests and callbacks, and addresses of messages that hold a
password or a token. Variables and bodies are the author's own data; nobody can tell
which of them are secret.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

from contracts.actions import Action, CallbackAction, EventAction, MessageAction
from contracts.errors import InlineSecretRefused
from contracts.events import EventSpec
from contracts.http import Credential, Header, HttpRequestSpec
from contracts.servers import Credentials, Endpoint, SecretText, ServerSpec

CREDENTIAL_HEADERS = frozenset(
    {"authorization", "cookie", "x-api-key", "api-key", "x-auth-token", "x-csrf-token"}
)
# Apprise's plain receivers: their addresses hold a credential only as user:password@.
# In those of all other services the path is a token.
PLAIN_SCHEMES = frozenset({"json", "jsons", "xml", "xmls", "form", "forms"})
# A value with an expression takes the credential from elsewhere.
EXPRESSION = "{{"
# A longer list helps nobody, and a message has a limit.
MAX_NAMED = 5


def inline_secrets(event: EventSpec, path: str = "event") -> Iterator[str]:
    """Yield the path of each credential in an event; nested events included."""
    if event.http is not None:
        yield from _in_request(event.http, f"{path}.http")
    for index, target in enumerate(event.targets or []):
        if isinstance(target, ServerSpec):
            yield from _in_server(target, f"{path}.targets[{index}]")
    for index, action in enumerate(event.actions):
        yield from _in_action(action, f"{path}.actions[{index}]")


def refuse_inline_secrets(event: EventSpec, path: str = "event") -> None:
    """Refuse an event that has credentials in it.

    Raises:
        InlineSecretRefused: The message names the fields, never a value.
    """
    found = list(inline_secrets(event, path))
    if found:
        more = len(found) - MAX_NAMED
        named = ", ".join(found[:MAX_NAMED]) + (f" and {more} more" * (more > 0))
        raise InlineSecretRefused(
            f"{named}: a credential in the request itself is only taken when what "
            "Temporal stores is encrypted"
        )


def _in_request(http: HttpRequestSpec, path: str) -> Iterator[str]:
    yield from _in_headers(http.headers, path)
    if http.auth is None:
        return
    if http.auth.kind == "bearer":
        yield from _in_credential(http.auth.token, f"{path}.auth.token")
    else:
        yield from _in_credential(http.auth.password, f"{path}.auth.password")


def _in_headers(headers: list[Header], path: str) -> Iterator[str]:
    for index, header in enumerate(headers):
        if header.name.lower() in CREDENTIAL_HEADERS:
            yield from _in_credential(header, f"{path}.headers[{index}]")


def _in_credential(given: Credential | Header, path: str) -> Iterator[str]:
    if given.value and EXPRESSION not in given.value:
        yield f"{path}.value"


def _in_server(server: ServerSpec, path: str) -> Iterator[str]:
    yield from _in_login(server, path)
    for index, jump in enumerate(server.jump):
        yield from _in_login(jump, f"{path}.jump[{index}]")
    if server.run_as is not None:
        yield from _in_text(server.run_as.password, f"{path}.runAs.password")


def _in_login(endpoint: Endpoint, path: str) -> Iterator[str]:
    given: Credentials = endpoint.credentials
    # A certificate is no secret: it is shown at each login.
    for name in ("key", "passphrase", "password"):
        yield from _in_text(getattr(given, name), f"{path}.credentials.{name}")


def _in_text(text: SecretText | None, path: str) -> Iterator[str]:
    if text is not None and text.value is not None:
        yield f"{path}.value"


def _in_action(action: Action, path: str) -> Iterator[str]:
    match action:
        case EventAction():
            yield from inline_secrets(action.spec, f"{path}.event")
        case MessageAction():
            for index, target in enumerate(action.targets):
                if target.url is not None and _tells(target.url):
                    yield f"{path}.targets[{index}].url"
        case CallbackAction():
            yield from _in_headers(action.headers, path)


def _tells(url: str) -> bool:
    """Return whether an Apprise URL has to be taken for a credential."""
    scheme, _, rest = url.partition("://")
    if scheme.lower() not in PLAIN_SCHEMES:
        return True
    try:
        return "@" in urlsplit("//" + rest).netloc
    except ValueError:
        return True
