"""uvicorn's WebSocket protocol with one more thing it can do: a last word.

A viewer that does not read blocks every further message to it, and so also the one
that tells it where to resume. This sends that one past the flow control.
"""

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import (
    WebSocketsSansIOProtocol,
)
from websockets.http11 import Request

LAST_WORD = "cronium.last_word"
_GRACE_SECONDS = 10.0


class GatewayWebSocketProtocol(WebSocketsSansIOProtocol):
    """Adds the extension `LAST_WORD` to the scope: `(text, code, reason) -> None`."""

    def handle_connect(self, event: Request) -> None:
        """Take the handshake; the app's task has not begun to run yet."""
        super().handle_connect(event)
        scope: Any = getattr(self, "scope", None)
        if scope is not None:
            scope["extensions"][LAST_WORD] = self.say_last_word

    def say_last_word(self, text: str, code: int, reason: str) -> None:
        """Send `text` and close, however full the buffer is.

        A peer that does not take it in some seconds is dropped, so that it cannot hold
        memory here for ever.
        """
        if self.close_sent or self.transport.is_closing():
            return
        self.conn.send_text(text.encode())
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            # The peer's answer to the close must come through.
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(_GRACE_SECONDS, self.transport.abort)
