"""What an HTTP request brought back: the `output` of an event of that type."""

from typing import Any

from pydantic import Field

from contracts.base import WireModel


class HttpTiming(WireModel):
    """Where the time went, in milliseconds; of the last exchange but for the total."""

    dns_ms: int | None = None
    """Finding the addresses of the name; None when it was not reached."""
    connect_ms: int | None = None
    tls_ms: int | None = None
    first_byte_ms: int | None = None
    """From the request's last byte to the head of the answer."""
    total_ms: int = 0
    """All of it: redirects, resends and waits too."""


class HttpHeader(WireModel):
    """One header line of an answer, its name as the server wrote it."""

    name: str
    value: str


class Redirect(WireModel):
    """One redirect that was followed."""

    status: int
    url: str
    """Where it led."""


class HttpResponse(WireModel):
    """An answer, or as much as there is of one. Secrets are masked in all of it."""

    status: int = 0
    """0 when the server did not answer."""
    reason: str = ""
    headers: list[HttpHeader] = []
    body: str = ""
    body_base64: bool = False
    """Whether `body` is base64, since the bytes are no text."""
    body_bytes: int = 0
    """Size of what is kept, decompressed."""
    truncated: bool = False
    """Whether there was more than is kept."""
    json_value: Any = Field(None, alias="json")
    """The body parsed, when its content type is JSON and all of it is there."""
    url: str = ""
    """The last URL that was asked."""
    redirects: list[Redirect] = []
    attempts: int = 0
    """How often the request was sent, redirects not counted."""
    timing: HttpTiming = HttpTiming()
