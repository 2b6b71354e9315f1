"""The codec server: Temporal's web UI and command have payloads opened and sealed here.

It speaks what they speak: `POST /decode` and `POST /encode` with payloads as the JSON
form of their proto. A process of its own, since whoever may use it needs no key.
"""

import asyncio
import base64
import binascii
import json

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import Field, field_validator
from starlette.middleware.cors import CORSMiddleware
from temporalio.api.common.v1 import Payload

from contracts.base import TolerantModel, WireModel
from contracts.errors import CroniumError
from contracts.limits import MIB
from gateway import failures
from gateway.errors import GatewayNotReady
from gateway.security import BodyLimit, SecurityHeaders
from worker.codec.access import Access
from worker.codec.payloads import ENCODING_FIELD, EncryptionCodec
from worker.codec.ring import KeyRing

# The UI asks for a page of events at once; one payload has at most 2 MiB.
MAX_BODY_BYTES = 32 * MIB
MAX_PAYLOADS = 10_000
JSON_PLAIN = b"json/plain"
ERROR_FIELD = "cronium-error"


class PayloadJson(TolerantModel):
    """A payload in the JSON form of its proto: bytes are base64."""

    metadata: dict[str, str] = {}
    data: str | None = None

    @field_validator("metadata", "data")
    @classmethod
    def _is_base64(
        cls, value: dict[str, str] | str | None
    ) -> dict[str, str] | str | None:
        texts = value.values() if isinstance(value, dict) else [value or ""]
        try:
            for text in texts:
                base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("expected standard base64") from None
        return value

    @classmethod
    def of(cls, payload: Payload) -> "PayloadJson":
        """Return a payload as JSON."""
        return cls(
            metadata={name: _text(value) for name, value in payload.metadata.items()},
            data=_text(payload.data),
        )

    @property
    def payload(self) -> Payload:
        """The payload."""
        return Payload(
            metadata={k: base64.b64decode(v) for k, v in self.metadata.items()},
            data=base64.b64decode(self.data or ""),
        )


class PayloadsJson(TolerantModel):
    """The body of every request and answer."""

    payloads: list[PayloadJson] = Field(default=[], max_length=MAX_PAYLOADS)


class Alive(WireModel):
    """The process answers."""

    status: str = "ok"


router = APIRouter()


def codec_app(ring: KeyRing, access: Access) -> FastAPI:
    """Return the server as an ASGI app.

    Args:
        ring: The keys.
        access: Who may use it.
    """
    app = FastAPI(title="Cronium codec server", docs_url=None, redoc_url=None)
    app.state.codec, app.state.access = EncryptionCodec(ring), access
    failures.install(app)
    app.include_router(router)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(access.origins),
        allow_methods=["POST"],
        # What the web UI sends; `X-Namespace` is information, not authorisation.
        allow_headers=[
            "Authorization",
            "Authorization-Extras",
            "Content-Type",
            "X-Namespace",
        ],
    )
    app.add_middleware(BodyLimit, limit=MAX_BODY_BYTES)
    app.add_middleware(SecurityHeaders)
    return app


@router.post("/decode")
async def decode(request: Request, body: PayloadsJson) -> JSONResponse:
    """Return the payloads opened; one that cannot be says why, in its own place."""
    codec = _checked(request)

    async def opened(item: PayloadJson) -> PayloadJson:
        payload = item.payload
        try:
            (plain,) = await codec.decode([payload])
        except CroniumError as error:
            plain = _said(error)
        return PayloadJson.of(plain)

    return _answer(await asyncio.gather(*map(opened, body.payloads)))


@router.post("/encode")
async def encode(request: Request, body: PayloadsJson) -> JSONResponse:
    """Return the payloads sealed with the active key."""
    codec = _checked(request)
    sealed = await codec.encode([item.payload for item in body.payloads])
    return _answer([PayloadJson.of(payload) for payload in sealed])


@router.get("/live")
async def live() -> Alive:
    """Return 200 while the process answers."""
    return Alive()


@router.get("/ready")
async def ready(request: Request) -> Alive:
    """Return 200, or 503 with what is wrong with the keys."""
    problem = request.app.state.codec.ring.problem
    if problem is not None:
        raise GatewayNotReady(f"encryption: {problem}")
    return Alive()


def _checked(request: Request) -> EncryptionCodec:
    request.app.state.access.check(request)
    codec = request.app.state.codec
    assert isinstance(codec, EncryptionCodec)
    return codec


def _said(error: CroniumError) -> Payload:
    info = error.info.model_dump(mode="json")
    return Payload(
        metadata={ENCODING_FIELD: JSON_PLAIN, ERROR_FIELD: error.type.encode()},
        data=json.dumps({"error": info}).encode(),
    )


def _answer(payloads: list[PayloadJson]) -> JSONResponse:
    return JSONResponse(PayloadsJson(payloads=payloads).model_dump(mode="json"))


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
