"""The helper channel, kept in memory: real HTTP over a real Unix socket or TCP.

It follows the contract that the worker's server follows as well, and can be told to
misbehave: refuse, hang, or close before an answer.
"""

import json
import re
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "run-token-1234567890"
EXECUTION = "exec_1"
MAX_BODY = 1024 * 1024
MAX_OUTPUT = 256 * 1024
MAX_VALUE = 10_000
KEY = re.compile(
    r"(?!(?:CRONIUM_|SYSTEM_|NODE_|PATH$|HOME$))[A-Za-z_][A-Za-z0-9_.-]{0,99}"
)
EVENT = {
    "id": "7", "name": "Nightly", "type": "PYTHON", "userId": "u1", "trigger": "MANUAL",
    "executionId": EXECUTION, "eventId": "7", "eventName": "Nightly", "attempt": 1,
    "eventType": "PYTHON", "maxAttempts": 3, "startTime": "2025-01-01T00:00:00Z",
    "tags": ["a", "b"], "runLocation": "LOCAL", "successCount": 4, "failureCount": 0,
    "server": {"name": "web-1"}, "metadata": {},
}  # fmt: skip


class Refused(Exception):
    """An answer that is not a success."""

    def __init__(self, status: int, word: str, message: str) -> None:
        super().__init__(message)
        self.status, self.word, self.message = status, word, message


@dataclass
class Channel:
    """One execution's state, and what the next requests shall meet."""

    input: Any = None
    variables: dict[str, Any] = field(default_factory=dict)
    output: Any = None
    condition: bool | None = None
    logs: list[dict[str, Any]] = field(default_factory=list)
    progress: list[dict[str, Any]] = field(default_factory=list)
    actions: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    faults: list[Any] = field(default_factory=list)
    """For each next request: a status, "close", "lost" (done, then closed), "hang"."""
    connections: int = 0
    replies: dict[str, Any] = field(default_factory=dict)
    """By idempotency key."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    released: threading.Event = field(default_factory=threading.Event)

    def answer(self, method: str, path: str, query: str, body: Any) -> Any:
        if path == "/tool-actions/execute":
            self.actions.append(body)
            return {"sent": True, "tool": body["tool"]}
        _, root, execution, *rest = path.split("/")
        if root != "executions" or unquote(execution) != EXECUTION:
            raise Refused(403, "forbidden", "this token is for another execution")
        if rest[0] == "variables":
            return self._variables(method, rest[1:], query, body)
        found = getattr(self, f"_{method.lower()}_{rest[0]}", None)
        if found is None:
            raise Refused(404, "not_found", "there is no such call")
        return found(body)

    def _get_input(self, body: Any) -> Any:
        return self.input

    def _get_context(self, body: Any) -> Any:
        return EVENT

    def _get_condition(self, body: Any) -> Any:
        return {"condition": self.condition}

    def _post_condition(self, body: Any) -> None:
        self.condition = body["condition"]

    def _post_output(self, body: Any) -> None:
        if len(json.dumps(body["data"])) > MAX_OUTPUT:
            raise Refused(
                413,
                "too_large",
                "output may have at most 262144 bytes: store it elsewhere",
            )
        self.output = body["data"]

    def _post_logs(self, body: Any) -> None:
        self.logs.append(body)

    def _post_progress(self, body: Any) -> None:
        self.progress.append(body)

    def _variables(self, method: str, rest: list[str], query: str, body: Any) -> Any:
        if not rest:
            prefix = parse_qs(query).get("prefix", [""])[0]
            found = {k: v for k, v in self.variables.items() if k.startswith(prefix)}
            return {"variables": found}
        key, *action = [unquote(part) for part in rest]
        if method == "GET":
            if key not in self.variables:
                raise Refused(404, "not_found", f"variable {key} is not set")
            return {"key": key, "value": self.variables[key]}
        if method == "DELETE":
            return {"deleted": self.variables.pop(key, self) is not self}
        return {"key": key, "value": self._write(key, "".join(action), body)}

    def _write(self, key: str, action: str, body: Any) -> Any:
        if not KEY.fullmatch(key):
            raise Refused(400, "bad_key", f"{key} is no name for a variable")
        old = self.variables.get(key)
        if action == "increment":
            if isinstance(old or 0, str) or isinstance(old, bool):
                raise Refused(409, "not_a_number", f"{key} is not a number")
            value = (old or 0) + body.get("by", 1)
        elif action == "append" and isinstance(old, list):
            value = [*old, body["value"]]
        elif action == "append":
            value = f"{old}{body['separator']}{body['value']}" if old else body["value"]
        else:
            value = body["value"]
            wrong = "expected" in body and body["expected"] != old
            if wrong or (body.get("ifAbsent") and key in self.variables):
                raise Refused(409, "conflict", f"{key} has another value by now")
        if len(json.dumps(value, ensure_ascii=False)) > MAX_VALUE:
            raise Refused(413, "too_large", f"{key}: at most {MAX_VALUE} characters")
        self.variables[key] = value
        return value


class Handler(BaseHTTPRequestHandler):
    """Speaks HTTP for one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = False
    server: Any

    def setup(self) -> None:
        super().setup()
        self.server.channel.connections += 1
        self.server.open.add(self.connection)

    def finish(self) -> None:
        self.server.open.discard(self.connection)
        super().finish()

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def serve(self) -> None:
        channel: Channel = self.server.channel
        fault = channel.faults.pop(0) if channel.faults else None
        channel.requests.append((self.command, self.path))
        size = int(self.headers.get("Content-Length") or 0)
        if size > MAX_BODY:
            self.close_connection = True
            self.reply(413, {"error": "too_large", "message": "at most 1 MiB a call"})
            return
        data = self.rfile.read(size)
        if fault == "hang":
            channel.released.wait()
        if fault in ("close", "hang"):
            self.close_connection = True
        elif isinstance(fault, int):
            self.reply(fault, {"error": "away", "message": f"told to answer {fault}"})
        elif fault == "unsuccessful":
            self.reply(200, {"success": False, "message": "it did not work"})
        else:
            self.reply_or_lose(fault == "lost", *self.result(channel, data))

    do_GET = do_POST = do_PUT = do_DELETE = serve

    def reply_or_lose(self, lost: bool, status: int, reply: Any) -> None:
        if lost:
            self.close_connection = True
        else:
            self.reply(status, reply)

    def result(self, channel: Channel, data: bytes) -> tuple[int, Any]:
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            return 401, {"error": "unauthorized", "message": "the token is not valid"}
        try:
            body = json.loads(data, parse_constant=_refuse) if data else None
        except ValueError as error:
            return 400, {"error": "bad_request", "message": f"not JSON: {error}"}
        url, key = urlsplit(self.path), self.headers.get("Idempotency-Key", "")
        path = url.path.removeprefix(self.server.prefix)
        with channel.lock:
            if key in channel.replies:
                return 200, channel.replies[key]
            try:
                found = channel.answer(self.command, path, url.query, body)
            except Refused as error:
                return error.status, {"error": error.word, "message": error.message}
            reply = {"success": True, "data": found}
            if key:
                channel.replies[key] = reply
        return 200, reply

    def reply(self, status: int, reply: Any) -> None:
        data = json.dumps(reply, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def address_string(self) -> str:
        return "script"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: what was asked is in `requests`."""


def _refuse(word: str) -> None:
    raise ValueError(word)


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64


class TcpServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True


@contextmanager
def serving(channel: Channel, path: Path | None, prefix: str = "") -> Iterator[str]:
    """Serve at a Unix socket, or on a free port without a path; gives the address."""
    server: Any
    if path is not None:
        path.unlink(missing_ok=True)
        server = UnixServer(str(path), Handler)
        path.chmod(0o666)
    else:
        server = TcpServer(("127.0.0.1", 0), Handler)
    server.channel, server.prefix, server.open = channel, prefix, set()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield (
            str(path)
            if path
            else f"http://127.0.0.1:{server.server_address[1]}{prefix}"
        )
    finally:
        channel.released.set()
        server.shutdown()
        server.server_close()
        for connection in list(server.open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        thread.join()


def serve_later(channel: Channel, path: Path, seconds: float) -> threading.Thread:
    """Serve after a while, until the channel is released, as a worker that restarts."""

    def work() -> None:
        time.sleep(seconds)
        with serving(channel, path):
            channel.released.wait()

    thread = threading.Thread(target=work)
    thread.start()
    return thread
