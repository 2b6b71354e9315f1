"""One try: the request is sent, redirects followed, resends made, the answer kept."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpcore
import httpx

from contracts.errors import ErrorInfo, HttpRequestInvalid
from contracts.http import HttpRequestSpec, status_in
from contracts.http_response import HttpHeader, HttpResponse, HttpTiming, Redirect
from engines.http import failures
from engines.http.body import (
    BodyBrokenError,
    BodyReader,
    Mask,
    RawHeaders,
    ShownBody,
    header_of,
    show_body,
)
from engines.http.failures import ExchangeFailed
from engines.http.request import PreparedRequest
from engines.http.transcript import Transcript, shown_url
from engines.http.urls import checked_url
from engines.http.wire import Marks

REDIRECTS = frozenset({301, 302, 303, 307, 308})
LONGEST_BACKOFF = 60.0


@dataclass(frozen=True, slots=True)
class HttpEnd:
    """How a try ended."""

    response: HttpResponse
    """What there is of the answer, success or not."""
    error: ErrorInfo | None = None


class Exchange:
    """Sends one prepared request and keeps what comes back, whatever happens.

    Args:
        spec: What the event says of redirects, resends and success.
        request: The request.
        connect: Makes a connection pool that notes its times in the given marks.
        check: Checks a host that is reached through a proxy.
        max_body: Bytes of the answer that are kept.
        transcript: Where it is shown.
        mask: Takes the secrets out of the result.
        wall_clock: Seconds since 1970, to read dates with.
    """

    def __init__(
        self,
        *,
        spec: HttpRequestSpec,
        request: PreparedRequest,
        connect: Callable[[Callable[[], Marks]], Any],
        check: Callable[[httpx.URL], Any],
        max_body: int,
        transcript: Transcript,
        mask: Mask,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._spec = spec
        self._first = self._request = request
        self._connect = connect
        self._check = check
        self._max_body = max_body
        self._transcript = transcript
        self._mask = mask
        self._wall_clock = wall_clock
        self._began = time.monotonic()
        self._attempts = 0
        self._marks = Marks()
        self._forget()

    def _forget(self) -> None:
        """Begin anew: what an earlier answer was is of no concern."""
        self._redirects: list[Redirect] = []
        self._status = 0
        self._reason = ""
        self._headers: RawHeaders = []
        self._reader: BodyReader | None = None
        self._complete = False

    async def run(self, seconds: float) -> HttpEnd:
        """Send the request and return how that ended.

        Args:
            seconds: Limit of all of it.
        """
        try:
            async with asyncio.timeout(seconds):
                error = await self._until_settled(self._began + seconds)
        except TimeoutError:
            error = failures.timed_out(
                self._marks.phase, seconds, "event.timeoutSeconds"
            )
        except ExchangeFailed as failure:
            error = failure.info
        except httpcore.TimeoutException:
            error = self._timed_out()
        except BodyBrokenError as failure:
            error = failures.broken(str(failure))
        except httpcore.LocalProtocolError:
            error = HttpRequestInvalid("the request cannot be sent as HTTP").info
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as failure:
            error = failures.explain(failure, self._marks.phase, self._marks.peer)
        except httpcore.ProxyError:
            error = failures.explain(OSError(), "connect", "the proxy")
        return self._end(error)

    async def _until_settled(self, deadline: float) -> ErrorInfo | None:
        resends = self._spec.retry_attempts if self._spec.retry_statuses else 0
        while True:
            self._attempts += 1
            self._forget()
            self._request = self._first
            await self._follow()
            if not status_in(self._status, self._spec.retry_statuses):
                break
            if self._attempts > resends or not await self._wait(deadline):
                break
        if status_in(self._status, self._spec.success_statuses):
            return None
        return failures.bad_status(self._status, self._spec.success_statuses)

    async def _wait(self, deadline: float) -> bool:
        """Wait as the server asks; return whether it may be asked again."""
        asked = self._retry_after()
        wait = asked
        if wait is None:
            wait = min(2.0 ** (self._attempts - 1), LONGEST_BACKOFF)
            wait = min(wait, self._spec.retry_max_wait_seconds)
        if (
            wait > self._spec.retry_max_wait_seconds
            or time.monotonic() + wait >= deadline
        ):
            self._transcript.note(
                f"not sent again: that may be done in {wait:g} s, which is too late"
            )
            return False
        self._transcript.note(f"sent again in {wait:g} s")
        await asyncio.sleep(wait)
        return True

    def _retry_after(self) -> float | None:
        text = header_of(self._headers, b"retry-after").strip()
        if text.isascii() and text.isdigit():
            # More digits than this are for ever.
            return float(text[:12])
        try:
            date = parsedate_to_datetime(text)
            return max(0.0, date.timestamp() - self._wall_clock())
        except (ValueError, OverflowError, TypeError):
            return None

    async def _follow(self) -> None:
        while True:
            target = await self._send()
            if target is None:
                return
            if len(self._redirects) >= self._spec.redirects:
                raise failures.too_many_redirects(self._spec.redirects)
            self._redirects.append(
                Redirect(status=self._status, url=shown_url(target, self._mask))
            )
            self._request = self._request.redirected(self._status, target)

    async def _send(self) -> httpx.URL | None:
        """Send the request at hand; return where it is redirected to, if it is."""
        request = self._request
        self._marks = Marks()
        self._transcript.request(request)
        await self._check(request.url)
        async with self._connect(lambda: self._marks) as pool:
            response = await pool.handle_async_request(self._wire_request(request))
            try:
                self._take_head(response)
                target = self._target()
                if target is None:
                    await self._take_body(response)
                return target
            finally:
                # What is not read is not waited for: the connection is closed.
                await response.aclose()

    def _wire_request(self, request: PreparedRequest) -> httpcore.Request:
        url, timeouts = request.url, self._spec.timeouts
        return httpcore.Request(
            request.method,
            httpcore.URL(
                scheme=url.raw_scheme,
                host=url.raw_host,
                port=url.port,
                target=url.raw_path,
            ),
            headers=[
                (b"Host", url.netloc),
                *((line.name.encode(), line.value) for line in request.headers),
            ],
            content=request.content,
            extensions={
                "timeout": {
                    "connect": timeouts.connect_seconds,
                    "read": timeouts.read_seconds,
                    "write": timeouts.write_seconds,
                },
                "trace": self._marks.trace,
            },
        )

    def _take_head(self, response: httpcore.Response) -> None:
        self._status = response.status
        reason = response.extensions.get("reason_phrase", b"")
        self._reason = reason.decode("latin-1") or _phrase(response.status)
        self._headers = response.headers
        self._reader = None
        self._complete = False
        self._transcript.answer(self._status, self._reason, _readable(response.headers))

    async def _take_body(self, response: httpcore.Response) -> None:
        reader = self._reader = BodyReader(response.headers, self._max_body)
        async for chunk in response.aiter_stream():
            reader.feed(chunk)
            if reader.full:
                return
        reader.finish()
        self._complete = True

    def _target(self) -> httpx.URL | None:
        location = header_of(self._headers, b"location")
        if self._status not in REDIRECTS or not location or not self._spec.redirects:
            return None
        old = self._request.url
        try:
            # Latin-1 is how headers are read; what servers mean is mostly UTF-8.
            text = location.encode("latin-1").decode("utf-8", "replace")
            new = checked_url("Location", str(old.join(text)))
        except (HttpRequestInvalid, httpx.InvalidURL, ValueError):
            raise failures.redirect_refused("to what is no http or https URL") from None
        downgrade = old.scheme == "https" and new.scheme == "http"
        if downgrade and not self._spec.allow_downgrade:
            raise failures.redirect_refused("from https to http")
        keeps_body = self._status in (307, 308) or self._request.method != "POST"
        if self._status != 303 and keeps_body and self._request.leaks_to(new):
            raise failures.redirect_refused(
                "a body that has a secret in it to another origin"
            )
        return new

    def _timed_out(self) -> ErrorInfo:
        phase, timeouts = self._marks.phase, self._spec.timeouts
        name, seconds = {
            "write": ("writeSeconds", timeouts.write_seconds),
            "read": ("readSeconds", timeouts.read_seconds),
        }.get(phase, ("connectSeconds", timeouts.connect_seconds))
        return failures.timed_out(phase, seconds, f"event.http.timeouts.{name}")

    def _end(self, error: ErrorInfo | None) -> HttpEnd:
        reader, mask = self._reader, self._mask
        data = reader.data if reader else b""
        shown = (
            show_body(self._headers, data, self._complete, mask)
            if reader
            else ShownBody()
        )
        response = HttpResponse(
            status=self._status,
            reason=mask.text(self._reason),
            headers=[
                HttpHeader(name=mask.text(name), value=mask.text(value))
                for name, value in _readable(self._headers)
            ],
            body=shown.text,
            body_base64=shown.is_base64,
            body_bytes=len(data),
            truncated=reader is not None and not self._complete,
            json_value=shown.json,
            url=shown_url(self._request.url, mask),
            redirects=self._redirects,
            attempts=self._attempts,
            timing=self._timing(),
        )
        self._transcript.body(response)
        if error is not None:
            error = error.model_copy(update={"message": mask.text(error.message)})
        return HttpEnd(response, error)

    def _timing(self) -> HttpTiming:
        marks = self._marks
        return HttpTiming(
            dns_ms=_ms(marks.dns),
            connect_ms=_ms(marks.connect),
            tls_ms=_ms(marks.tls),
            first_byte_ms=_ms(marks.first_byte),
            total_ms=round((time.monotonic() - self._began) * 1000),
        )


def _readable(headers: RawHeaders) -> list[tuple[str, str]]:
    return [(_text(name), _text(value)) for name, value in headers]


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
