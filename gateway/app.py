"""Puts the gateway's routes and parts together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from contracts.limits import KIB, MIB
from gateway import (
    api,
    failures,
    health,
    hooks_api,
    hooks_receive,
    ingest,
    page,
    services,
    variables_api,
    viewers,
)
from gateway.config import GatewayConfig
from gateway.measuring import Measured
from gateway.security import BodyLimit, SecurityHeaders

_DESCRIPTION = """Stores the log lines of executions and streams them live; keeps the
variables that scripts share.

Besides what is listed here there are two WebSockets: `/ingest`, which workers send
lines to, and `/executions/{id}/logs?fromSeq=1`, which shows a log from any line on and
then live. `/logs/{id}#token=…` is a page that does so in a browser.
"""
# The longest value, written with an escape for each character, twice (`expected`).
_MAX_BODY_BYTES = 512 * KIB
_LARGER_BODIES = {
    # A hook's event has a script of up to 1 MiB, written with escapes.
    "/api/hooks": 4 * MIB,
    # The hook's own limit, which is lower, answers in its own words.
    "/hooks/": 1 * MIB,
}
_TAGS = [
    {"name": "executions", "description": "What ran, for whom, and how it ended."},
    {"name": "logs", "description": "The lines that executions wrote."},
    {"name": "variables", "description": "Typed values that scripts share, per user."},
    {"name": "webhooks", "description": "Calls of others that start executions."},
    {"name": "operation", "description": "Health and metrics of the gateway."},
]


def create_app(config: GatewayConfig) -> FastAPI:
    """Return the gateway as an ASGI app; its parts live from start-up to shutdown."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.services = await services.start(config)
        try:
            yield
        finally:
            await app.state.services.stop()

    app = FastAPI(
        title="Cronium gateway",
        version="1",
        description=_DESCRIPTION,
        openapi_tags=_TAGS,
        lifespan=lifespan,
        # One name for a contract, whichever way it goes.
        separate_input_output_schemas=False,
    )
    failures.install(app)
    for module in (
        api,
        variables_api,
        hooks_api,
        hooks_receive,
        health,
        ingest,
        page,
        viewers,
    ):
        app.include_router(module.router)
    if config.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            # No `allow_credentials`: tokens are sent by hand, cookies are not used.
            allow_origins=list(config.cors_origins),
            allow_methods=["GET", "PUT", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key"],
            expose_headers=["Content-Disposition", "Retry-After"],
        )
    app.add_middleware(BodyLimit, limit=_MAX_BODY_BYTES, larger=_LARGER_BODIES)
    app.add_middleware(SecurityHeaders)
    # The outermost: what the others refuse is counted as well.
    app.add_middleware(Measured)
    return app
