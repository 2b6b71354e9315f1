"""URLs: what may be asked, what is the same origin, what is added to a query."""

from urllib.parse import quote, urlencode

import httpx

from contracts.errors import HttpRequestInvalid

PORTS = {"http": 80, "https": 443}


def checked_url(where: str, text: str) -> httpx.URL:
    """Return a URL that can be asked.

    Raises:
        HttpRequestInvalid: It cannot; `where` is in the message, the URL is not.
    """
    try:
        url = httpx.URL(text)
        host = url.raw_host
    except (httpx.InvalidURL, UnicodeError, ValueError):
        raise HttpRequestInvalid(f"{where}: this is not a URL") from None
    if url.scheme not in PORTS or not host:
        raise HttpRequestInvalid(
            f"{where}: expected a URL that begins with http:// or https://"
        )
    if url.userinfo:
        raise HttpRequestInvalid(
            f"{where}: credentials do not belong in a URL: use `auth`"
        )
    if url.port is not None and not 0 < url.port < 65_536:
        raise HttpRequestInvalid(f"{where}: a port is from 1 to 65535")
    return url.copy_with(fragment=None)


def with_query(url: httpx.URL, pairs: list[tuple[str, str]]) -> httpx.URL:
    """Return a URL with pairs added to its query, all of them percent-encoded."""
    if not pairs:
        return url
    try:
        added = urlencode(pairs, quote_via=quote, safe="").encode()
    except UnicodeEncodeError:
        raise HttpRequestInvalid("event.http.query: this is not text") from None
    return url.copy_with(query=url.query + b"&" + added if url.query else added)


def origin(url: httpx.URL) -> tuple[str, str, int]:
    """Return scheme, host and port: with whom one speaks."""
    return url.scheme, host_of(url), url.port or PORTS[url.scheme]


def host_of(url: httpx.URL) -> str:
    """Return the host as it is asked for: `url.host` fails on some `xn--` names."""
    return url.raw_host.decode("ascii").lower()
