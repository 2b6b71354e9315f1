"""What a person sees of an exchange: request and answer as lines of the log."""

from collections.abc import Callable, Sequence

import httpx

from contracts.http_response import HttpResponse
from engines.http.body import Mask
from engines.http.request import PreparedRequest

MAX_LINE_CHARS = 2_000
MAX_PREVIEW_LINES = 20
MAX_PREVIEW_CHARS = 2_000
HIDDEN = "***"
# Of an answer: whoever has these is the user.
HIDDEN_ANSWER_HEADERS = frozenset({"set-cookie", "www-authenticate", "authorization"})


class Transcript:
    """Writes lines: `>` what is sent, `<` what comes back, `*` what happens.

    Args:
        say: Takes one line.
        mask: Takes the secrets out.
    """

    def __init__(self, say: Callable[[str], None], mask: Mask) -> None:
        self._say = say
        self._mask = mask

    def note(self, text: str) -> None:
        """Say what happens."""
        self._line("*", text)

    def request(self, request: PreparedRequest) -> None:
        """Show a request; of its body size and type alone."""
        self._line(">", f"{request.method} {request.url}")
        for line in request.headers:
            value = HIDDEN if line.private else line.value.decode(errors="replace")
            self._line(">", f"{line.name}: {value}")
        if request.content:
            self._line(">", f"({len(request.content)} bytes of body)")

    def answer(
        self, status: int, reason: str, headers: Sequence[tuple[str, str]]
    ) -> None:
        """Show the head of an answer."""
        self._line("<", f"{status} {reason}".rstrip())
        for name, value in headers:
            hidden = name.lower() in HIDDEN_ANSWER_HEADERS
            self._line("<", f"{name}: {HIDDEN if hidden else value}")

    def body(self, response: HttpResponse) -> None:
        """Show the beginning of the body that is kept."""
        size = f"{response.body_bytes} bytes of body"
        if response.truncated:
            size += ", cut off there"
        if not response.body_bytes:
            return
        if response.body_base64:
            self._line("<", f"({size}, not text)")
            return
        lines = response.body[:MAX_PREVIEW_CHARS].splitlines()
        for line in lines[:MAX_PREVIEW_LINES]:
            self._say(self._mask.text(line))
        shown = "\n".join(lines[:MAX_PREVIEW_LINES])
        if len(shown) < len(response.body.rstrip()) or response.truncated:
            self._line("<", f"({size}; this is the beginning)")

    def _line(self, mark: str, text: str) -> None:
        # Masked before it is cut: half a secret is one still.
        text = self._mask.text(text)
        if len(text) > MAX_LINE_CHARS:
            text = text[:MAX_LINE_CHARS] + " …"
        self._say(f"{mark} {text}")


def shown_url(url: httpx.URL, mask: Mask) -> str:
    """Return a URL for a result."""
    return mask.text(str(url))
