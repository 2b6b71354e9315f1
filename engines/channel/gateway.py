"""The store of variables behind the gateway's REST API."""

import json
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx

from contracts import errors
from contracts.errors import (
    VariableError,
    VariableNotFound,
    VariableRefused,
    VariablesUnavailable,
)
from contracts.json_values import read_json
from contracts.variables import check_key, is_key
from contracts.wire_text import json_text
from engines.channel.variables import UNSET

logger = logging.getLogger(__name__)

PAGE = 1_000
TIMEOUT_SECONDS = 10.0
# One run's slow calls must not keep the others from the gateway.
CONNECTIONS = 64
# Errors that the gateway tells by name.
_KINDS = {
    kind.__name__: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, VariableError)
}


class GatewayVariables:
    """A `VariableStore` that asks the gateway.

    Args:
        url: The gateway, `http://…`.
        token: Returns a fresh token of scope `service`.
    """

    def __init__(self, url: str, token: Callable[[], str]) -> None:
        self._token = token
        self._http = httpx.AsyncClient(
            base_url=url,
            timeout=TIMEOUT_SECONDS,
            limits=httpx.Limits(max_connections=CONNECTIONS),
            # The gateway is our own: a proxy of the environment is not for it.
            trust_env=False,
            # Loading the certificates of the system takes longer than a call.
            verify=url.startswith("https:"),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def get(self, user: str, key: str) -> Any:
        """Return a value; raises VariableNotFound."""
        # A key that nobody can have set is never part of an address, where dots and
        # slashes might mean another place.
        if not is_key(key):
            raise VariableNotFound("the variable is not set.")
        return (await self._call("GET", _path(user, key)))["value"]

    async def set(
        self,
        user: str,
        key: str,
        value: Any,
        *,
        expected: Any = UNSET,
        if_absent: bool = False,
        once: str = "",
    ) -> Any:
        """Store a value; return it as it is stored."""
        body: dict[str, Any] = {"value": value, "ifAbsent": if_absent}
        if expected is not UNSET:
            body["expected"] = expected
        check_key(key)
        return (await self._call("PUT", _path(user, key), body, once))["value"]

    async def delete(self, user: str, key: str, *, once: str = "") -> bool:
        """Delete a variable; return whether it was set."""
        if not is_key(key):
            return False
        answer = await self._call("DELETE", _path(user, key), once=once)
        return bool(answer["deleted"])

    async def list(self, user: str, prefix: str, limit: int) -> dict[str, Any]:
        """Return the variables whose keys begin with `prefix`."""
        found: dict[str, Any] = {}
        after: str | None = ""
        size = 0
        while after is not None:
            wanted = {"prefix": prefix, "after": after, "limit": PAGE}
            page = await self._call("GET", _path(user), params=wanted)
            for variable in page["variables"]:
                found[variable["key"]] = variable["value"]
                size += len(json.dumps(variable["value"], ensure_ascii=False))
            if size > limit:
                raise VariableRefused(
                    f"the variables are more than {limit} characters of JSON",
                    hint="Ask for fewer of them with a longer prefix.",
                )
            after = page["nextAfter"]
        return found

    async def increment(
        self, user: str, key: str, by: float, *, once: str = ""
    ) -> int | float:
        """Add to a number and return the sum."""
        check_key(key)
        path = _path(user, key) + "/increment"
        total: int | float = (await self._call("POST", path, {"by": by}, once))["value"]
        return total

    async def append(
        self, user: str, key: str, value: Any, separator: str = "", *, once: str = ""
    ) -> Any:
        """Append and return the whole."""
        check_key(key)
        body = {"value": value, "separator": separator}
        path = _path(user, key) + "/append"
        return (await self._call("POST", path, body, once))["value"]

    async def _call(
        self,
        method: str,
        path: str,
        body: Any = None,
        once: str = "",
        params: dict[str, Any] | None = None,
    ) -> Any:
        headers = {"Authorization": f"Bearer {self._token()}"}
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json_text(body).encode()
        if once:
            headers["Idempotency-Key"] = once
        try:
            answer = await self._http.request(
                method, path, content=content, headers=headers, params=params
            )
            if answer.is_success:
                return read_json(answer.content)
        except (httpx.HTTPError, ValueError) as error:
            raise VariablesUnavailable(
                f"the gateway does not answer ({type(error).__name__})."
            ) from error
        raise _error_of(answer)


def _path(user: str, key: str | None = None) -> str:
    path = f"/api/users/{quote(user, safe='')}/variables"
    return path if key is None else f"{path}/{quote(key, safe='')}"


def _error_of(answer: httpx.Response) -> VariableError:
    try:
        found = answer.json()["error"]
        kind, message, hint = found["type"], str(found["message"]), str(found["hint"])
    except (ValueError, KeyError, TypeError):
        kind, message, hint = "", "", ""
    if kind in _KINDS:
        return _KINDS[kind](message, hint=hint)
    if answer.status_code in (413, 422):
        return VariableRefused(message, hint=hint)
    # The script can do nothing about our token or a proxy: the operator can.
    logger.warning(
        "the gateway answers %d %s to a call for a variable", answer.status_code, kind
    )
    return VariablesUnavailable(f"the gateway answers {answer.status_code}.")
