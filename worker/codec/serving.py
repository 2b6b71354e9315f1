"""Runs the codec server as a process of its own."""

import uvicorn

from worker.codec.access import Access
from worker.codec.ring import KeyRing
from worker.codec.server import codec_app


def run_server(ring: KeyRing, access: Access, host: str, port: int) -> bool:
    """Serve until SIGTERM or SIGINT; return whether it could be started at all."""
    server = uvicorn.Server(
        uvicorn.Config(
            codec_app(ring, access),
            host=host,
            port=port,
            # What stands in front may say whatever it likes of itself.
            proxy_headers=False,
            # uvicorn's own lines would say who looks at what.
            access_log=False,
            log_config=None,
            log_level="warning",
            server_header=False,
        )
    )
    try:
        server.run()
    except SystemExit:
        return False
    return server.started
