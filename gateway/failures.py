"""Turns every failure into the one shape of an error answer."""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from contracts.errors import (
    CroniumError,
    VariableConflict,
    VariableError,
    VariableNotFound,
)
from contracts.validation import path_of
from gateway.errors import GatewayError
from gateway.models import ErrorAnswer, ErrorBody
from gateway.security import headers_for

_HINTS = {
    400: "Send the body as JSON in UTF-8.",
    404: "See /docs for what there is.",
    405: "See /docs for what there is.",
    413: "Send less in one request.",
}


def install(app: FastAPI) -> None:
    """Answer failures of `app` with `ErrorAnswer`."""
    app.add_exception_handler(GatewayError, _gateway_error)
    app.add_exception_handler(VariableError, _variable_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unforeseen)


def _answer(
    status: int, body: ErrorBody, headers: dict[str, str] | None = None
) -> JSONResponse:
    content: dict[str, Any] = ErrorAnswer(error=body).model_dump(mode="json")
    return JSONResponse(content, status, headers)


async def _gateway_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, GatewayError)
    return _answer(error.http_status, _body(error), error.headers)


async def _variable_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, VariableError)
    match error:
        case VariableNotFound():
            status = 404
        case VariableConflict():
            status = 409
        case _:
            status = 422
    return _answer(status, _body(error))


def _body(error: CroniumError) -> ErrorBody:
    return ErrorBody(type=error.type, message=str(error), hint=error.user_hint)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # Places and reasons only: what was sent is not sent back.
    found = "; ".join(
        f"{path_of(e['loc'])}: {str(e['msg']).removeprefix('Value error, ')}"
        for e in error.errors()
    )
    hint = "See /docs for the parameters and their limits."
    return _answer(422, ErrorBody(type="RequestRefused", message=found, hint=hint))


async def _http_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    hint = _HINTS.get(error.status_code, "")
    body = ErrorBody(type="HttpError", message=str(error.detail), hint=hint)
    return _answer(error.status_code, body, dict(error.headers or {}))


async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    logging.getLogger(__name__).error(
        "%s %s failed", request.method, request.url.path, exc_info=error
    )
    hint = "Try again; if it stays, look into the gateway's own log."
    body = ErrorBody(
        type="GatewayError", message="The gateway met an unforeseen error.", hint=hint
    )
    # This answer is made outside of the middleware that adds them to all others.
    return _answer(500, body, headers_for(request.scope))
