"""HTTP clients for the parts of a stack."""

import httpx


def http_client(url: str, seconds: float) -> httpx.AsyncClient:
    """Return a client for one server.

    Args:
        url: The server's address.
        seconds: Limit of each step of a call.
    """
    return httpx.AsyncClient(
        timeout=seconds,
        # The servers are our own: a proxy of the environment is not for them.
        trust_env=False,
        # Loading the certificates of the system takes longer than a call.
        verify=url.startswith("https:"),
    )
