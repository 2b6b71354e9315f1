"""Whether the process of this container does its work; the container's health check.

Which process it is stands on the command line of the container's first one. Nothing but
the standard library, since it is run every few seconds.
"""

import http.client
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

SECONDS = 5.0
LISTEN = "/run/cronium-guard/docker.sock"


def target(words: Sequence[str], environment: Mapping[str, str]) -> str:
    """Return what to ask: `http://host:port/path`, or `unix:/path/of/socket`."""
    if "guard" in words:
        listen = words[words.index("--listen") + 1] if "--listen" in words else LISTEN
        return f"unix:{listen}"
    if "gateway" in words or environment.get("CRONIUM_ROLE") == "gateway":
        return (
            f"http://127.0.0.1:{environment.get('CRONIUM_GATEWAY_PORT', '8780')}/ready"
        )
    port = environment.get("CRONIUM_WORKER_HEALTH_PORT", "9464")
    return f"http://127.0.0.1:{port}/ready"


def ask(where: str) -> tuple[int, str]:
    """Return status and text of the answer. Raises OSError."""
    if where.startswith("unix:"):
        connection = http.client.HTTPConnection("docker", timeout=SECONDS)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(SECONDS)
        connection.sock.connect(where.removeprefix("unix:"))
        path = "/_ping"
    else:
        parts = urlsplit(where)
        connection = http.client.HTTPConnection(
            str(parts.hostname), parts.port, timeout=SECONDS
        )
        path = parts.path
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(1000).decode(errors="replace")
    finally:
        connection.close()


def main() -> int:
    """Print what the process answers; 1 when it does not work."""
    words = Path("/proc/1/cmdline").read_text().split("\0")
    where = target(words, os.environ)
    try:
        status, text = ask(where)
    except (OSError, http.client.HTTPException) as error:
        print(f"{where}: {type(error).__name__}")
        return 1
    print(text)
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
