"""Secrets that the app keeps: asked for over HTTP, one by one, with a service token.

    GET <url>/<NAME>            Authorization: Bearer <token>
    200 {"value": "…"}          the secret; other fields are ignored
    404                         there is none of this name

Everything else means that nobody knows now, and the run is tried again. Answers are
kept in memory for a while, on no disk.
"""

import json
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from ssl import SSLContext
from urllib.parse import quote

import httpx

from contracts.errors import SecretsUnavailable
from contracts.limits import KIB

logger = logging.getLogger(__name__)

# The largest secret is a private key; escaped as JSON it may be six times as long.
MAX_ANSWER_BYTES = 512 * KIB
MAX_KEPT = 1000
MAX_TOKEN_BYTES = 16 * KIB
# Of connections that are refused; an answer is never asked for twice.
CONNECT_TRIES = 2


@dataclass(frozen=True, slots=True)
class _Kept:
    value: str
    until: float


class SecretService:
    """Asks the app. May be used by several threads at once.

    Args:
        url: What `/NAME` is added to.
        token_file: File with the token, read for each question so that it can be
            changed at any time; None sends none.
        timeout: Seconds that one question may take in all.
        cache: Seconds that an answer is kept; 0 asks each time.
        tls: What the service's certificate is checked with; None is the usual.
        clock: Seconds, steadily growing.
    """

    def __init__(
        self,
        url: str,
        token_file: Path | None = None,
        *,
        timeout: float = 5.0,
        cache: float = 60.0,
        tls: SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url.rstrip("/")
        self._token_file = token_file
        self._timeout = timeout
        self._cache = cache
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.Lock()
        verify = True if tls is None else tls
        self._http = httpx.Client(
            transport=httpx.HTTPTransport(verify=verify, retries=CONNECT_TRIES),
            timeout=timeout,
            # Neither proxies of the environment nor redirects get the token.
            trust_env=False,
            follow_redirects=False,
        )

    def find(self, name: str) -> str | None:
        """Return the value, or None when the app has none of this name.

        Raises:
            SecretsUnavailable: The app does not answer, refuses the token, or says
                something else; the message has neither token nor value.
        """
        now = self._clock()
        with self._lock:
            kept = self._kept.get(name)
        if kept is not None and now < kept.until:
            return kept.value
        value = self._ask(name)
        with self._lock:
            self._kept.pop(name, None)
            if value is not None and self._cache:
                self._kept[name] = _Kept(value, now + self._cache)
            while len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        return value

    def _ask(self, name: str) -> str | None:
        url = f"{self._url}/{quote(name, safe='')}"
        deadline = self._clock() + self._timeout
        try:
            with self._http.stream("GET", url, headers=self._headers()) as answer:
                if answer.status_code == 404:
                    return None
                self._check(answer.status_code)
                return self._value(name, self._read(answer, deadline))
        except httpx.TimeoutException:
            raise self._away(f"did not answer within {self._timeout:g} s") from None
        except httpx.HTTPError as error:
            raise self._away(f"cannot be asked ({type(error).__name__})") from None

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": "cronium"}
        if self._token_file is None:
            return headers
        try:
            with self._token_file.open("rb") as file:
                token = file.read(MAX_TOKEN_BYTES).decode("ascii").strip()
        except (OSError, UnicodeDecodeError):
            token = ""
        if not token or not token.isprintable():
            raise SecretsUnavailable(
                f"there is no token in {self._token_file}",
                hint="Write the service token there; CRONIUM_SECRETS_TOKEN_FILE names "
                "the file.",
            )
        return {**headers, "Authorization": f"Bearer {token}"}

    def _check(self, status: int) -> None:
        if status in (401, 403):
            raise self._away(f"refuses the worker's token ({status})")
        if status != 200:
            raise self._away(f"answers with status {status}")

    def _read(self, answer: httpx.Response, deadline: float) -> bytes:
        body = b""
        # Each piece comes in its time, but a server may send many small ones.
        for piece in answer.iter_bytes():
            body += piece
            if len(body) > MAX_ANSWER_BYTES:
                raise self._away(f"sends more than {MAX_ANSWER_BYTES} bytes")
            if self._clock() > deadline:
                raise self._away(f"did not answer within {self._timeout:g} s")
        return body

    def _value(self, name: str, body: bytes) -> str:
        try:
            found = json.loads(body)
            value = found["value"] if isinstance(found, dict) else None
        except (ValueError, KeyError, RecursionError):
            value = None
        if not isinstance(value, str):
            raise self._away(f'answers for {name} without a text in "value"')
        return value

    def _away(self, what: str) -> SecretsUnavailable:
        return SecretsUnavailable(f"the source of secrets {what}")
