"""Calls to the gateway's REST API, and what its refusals mean to a person."""

from typing import TYPE_CHECKING, Any

from contracts.errors import CroniumError

if TYPE_CHECKING:
    from cli.stack import Stack

CALL_SECONDS = 30.0


class GatewayUnavailable(CroniumError):
    """The gateway does not answer."""

    hint = "Start it with `cronium dev` or `cronium gateway`."


class GatewayRefused(CroniumError):
    """The gateway did not do what was asked; message and hint are its own."""


async def call(stack: "Stack", method: str, path: str, **options: Any) -> Any:
    """Return the answer to one call as JSON.

    Args:
        stack: Where the gateway is.
        method: `GET`, `PUT`, …
        path: With its parts percent-encoded.
        options: More for `httpx`, such as `json` and `params`.

    Raises:
        GatewayUnavailable: There is no answer.
        GatewayRefused: The answer is an error.
        LogUnavailable: The key that signs tokens is not on this machine.
    """
    import httpx

    from cli.follow import service_token
    from cli.http import http_client

    headers = {"Authorization": f"Bearer {service_token(stack)}"}
    try:
        async with http_client(stack.gateway, CALL_SECONDS) as http:
            answer = await http.request(
                method, stack.gateway + path, headers=headers, **options
            )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise GatewayUnavailable(
            f"the gateway does not answer at {stack.gateway}"
        ) from error
    if answer.is_success:
        return answer.json()
    raise refusal(answer)


def refusal(answer: Any) -> GatewayRefused:
    """Return what an answer that is an error says to a person."""
    try:
        error = answer.json()["error"]
        message, hint = str(error["message"]), str(error["hint"])
    except (ValueError, KeyError, TypeError):
        # Not one of ours: a proxy, or something else on that port.
        message, hint = f"the gateway refused ({answer.status_code})", ""
    return GatewayRefused(message[:1].lower() + message[1:], hint=hint)
