"""A receiver for callbacks, messages and requests of the other examples; Python alone.

    python3 examples/receiver.py --port 8799 --key 'a long random key'

What `is_genuine` does is what every receiver of callbacks should do; the rest answers.
"""

import argparse
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MAX_AGE_SECONDS = 300
MAX_BODY_BYTES = 2 * 1024 * 1024
seen: set[str] = set()


def is_genuine(key: bytes, headers: Mapping[str, str], body: bytes) -> bool:
    """Return whether the executor has sent this body, and not long ago."""
    timestamp = headers.get("X-Cronium-Timestamp", "")
    signature = headers.get("X-Cronium-Signature", "")
    signed = timestamp.encode() + b"." + body
    expected = "v1=" + hmac.new(key, signed, hashlib.sha256).hexdigest()
    # In constant time: how long a comparison takes must not tell how much is right.
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        return False
    return abs(time.time() - int(timestamp)) <= MAX_AGE_SECONDS


class Receiver(BaseHTTPRequestHandler):
    """Answers `/callback`; takes anything else and says what it was."""

    key = b""
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take a callback, a message or a report."""
        size = int(self.headers.get("Content-Length", "0"))
        if size > MAX_BODY_BYTES:
            self.close_connection = True
            return self._answer(413, "too large")
        body = self.rfile.read(size)
        if self.path == "/callback":
            return self._callback(body)
        self._say(f"{self.command} {self.path} {body.decode()}")
        return self._answer(200, "taken")

    do_PUT = do_POST

    def _callback(self, body: bytes) -> None:
        if not is_genuine(self.key, self.headers, body):
            self._say("callback refused: wrong signature, or too old")
            return self._answer(401, "wrong signature")
        delivery = self.headers["X-Cronium-Delivery"]
        # A delivery may come twice: when our answer was lost, it is sent again.
        if delivery in seen:
            return self._answer(200, "had it already")
        seen.add(delivery)
        result = json.loads(body)
        self._say(f"callback: {result['eventName']} ended with {result['status']}")
        return self._answer(200, "taken")

    def _answer(self, status: int, text: str) -> None:
        content = json.dumps({"message": text}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _say(self, text: str) -> None:
        print(text, flush=True)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""


def main() -> None:
    """Serve on loopback until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8799, help="0 is any free one")
    parser.add_argument("--key", required=True, help="the callback's secret")
    arguments = parser.parse_args()
    Receiver.key = arguments.key.encode()
    server = ThreadingHTTPServer(("127.0.0.1", arguments.port), Receiver)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
