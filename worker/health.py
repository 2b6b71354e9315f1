"""`/live`, `/ready`, `/health` and `/metrics` of a worker."""

import contextlib
from collections.abc import Callable, Iterator

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from worker.metrics import WorkerMetrics

Problems = Callable[[], dict[str, str]]


def health_app(
    problems: Problems, metrics: WorkerMetrics, warnings: Problems = dict
) -> Starlette:
    """Return the app.

    Args:
        problems: Returns what keeps the worker from taking runs: part → reason.
        metrics: What `/metrics` shows.
        warnings: Returns what does not work and keeps no run from being taken.
    """

    async def live(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> Response:
        found, warned = problems(), warnings()
        status = "not ready" if found else "degraded" if warned else "ok"
        body = {"status": status, "problems": found, "warnings": warned}
        return JSONResponse(body, 503 if found else 200)

    async def scrape(_: Request) -> Response:
        return Response(
            generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST
        )

    return Starlette(
        routes=[
            Route("/live", live),
            Route("/ready", ready),
            Route("/health", ready),
            Route("/metrics", scrape),
        ]
    )


class HealthServer(uvicorn.Server):
    """A uvicorn server that leaves the signals to the worker."""

    def __init__(self, app: Starlette, host: str, port: int) -> None:
        super().__init__(
            uvicorn.Config(app, host=host, port=port, log_config=None, access_log=False)
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone: the worker hands over on the first SIGTERM.

        The base class would take them, and raise them once more when it ends.
        """
        yield
