"""Whether the gateway lives, works and how busy it is."""

import asyncio

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import GatewayNotReady
from gateway.models import Alive, ErrorAnswer, Health
from gateway.services import Services, services_of

_DATABASE_SECONDS = 5.0
_OK = "ok"

router = APIRouter(tags=["operation"])


async def _checks(services: Services) -> dict[str, str]:
    return {
        "database": await _database(services),
        "writer": _OK if services.intake.running else "the writer has ended",
        "storage": services.store.problem or _OK,
    }


async def _database(services: Services) -> str:
    try:
        async with asyncio.timeout(_DATABASE_SECONDS):
            await services.reads.check()
    except TimeoutError:
        return f"no answer within {_DATABASE_SECONDS:g} seconds"
    except (SQLAlchemyError, OSError) as error:
        return f"the database does not answer: {type(error).__name__}"
    return _OK


@router.get("/health", summary="Say which parts work")
async def health(request: Request) -> Health:
    """Return the state of each part; always 200 while the process answers."""
    checks = await _checks(services_of(request))
    fine = all(value == _OK for value in checks.values())
    return Health(status=_OK if fine else "degraded", checks=checks)


@router.get("/live", summary="Say that the process answers")
async def live() -> Alive:
    """Return 200: restart the process when this does not answer."""
    return Alive()


@router.get(
    "/ready",
    summary="Say whether lines can be stored and read",
    responses={503: {"model": ErrorAnswer, "description": "A part does not work."}},
)
async def ready(request: Request) -> Alive:
    """Return 200, or 503 with the name of the part that does not work."""
    for name, value in (await _checks(services_of(request))).items():
        if value != _OK:
            raise GatewayNotReady(f"{name}: {value}")
    return Alive()


@router.get("/metrics", summary="Numbers for Prometheus", response_class=Response)
async def metrics(request: Request) -> Response:
    """Return the gateway's numbers in Prometheus' text format."""
    services = services_of(request)
    for part, state in (await _checks(services)).items():
        services.metrics.ready.labels(part).set(state == _OK)
    text = generate_latest(services.metrics.registry)
    return Response(text, media_type=CONTENT_TYPE_LATEST)
