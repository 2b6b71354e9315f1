"""What an event of type `http_request` sends, and what counts as success.

Values of URL, headers, query and body may hold `{{ }}` expressions over `input`,
`event` and `secrets`; a value may also be the name of a secret. Both are put in on the
worker, at the last moment (see `engines.http.templates` for what an expression may be).
"""

import base64
import binascii
import re
from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BeforeValidator,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from contracts import limits, names
from contracts.base import WireModel
from contracts.wire_text import WireJson, WireText

SecretName = Annotated[
    str, StringConstraints(max_length=255, pattern=names.SECRET_NAME_PATTERN)
]
Text = Annotated[str, StringConstraints(max_length=limits.MAX_HTTP_VALUE_CHARS)]
Name = Annotated[
    str, StringConstraints(min_length=1, max_length=limits.MAX_HTTP_NAME_CHARS)
]
MediaType = Annotated[
    str, StringConstraints(max_length=200, pattern=r"^[!-~]+/[!-~]+(;[ -~]*)?$")
]

HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# RFC 9110: a field value has no control characters but the tab.
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# They frame the message or belong to one connection: a second opinion on them is how
# requests are smuggled past a proxy.
OWN_HEADERS = frozenset(
    {
        "connection", "content-length", "expect", "host", "keep-alive",
        "proxy-authorization", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade",
    }
)  # fmt: skip
STATUS_PATTERN = re.compile(r"[1-5]xx|[1-5]\d\d(?:-[1-5]\d\d)?")


class HttpMethod(StrEnum):
    """The methods an event may use."""

    GET = "GET"
    HEAD = "HEAD"
    OPTIONS = "OPTIONS"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"


IDEMPOTENT_METHODS = frozenset(HttpMethod) - {HttpMethod.POST, HttpMethod.PATCH}


def _as_mapping(value: Any) -> Any:
    return {"value": value} if isinstance(value, str) else value


class _Valued(WireModel):
    """Something that is a plain value or the name of a secret."""

    value: Text | None = None
    secret: SecretName | None = None
    """Name of a secret that the worker resolves at the last moment."""

    @model_validator(mode="before")
    @classmethod
    def _unwrap(cls, data: Any) -> Any:
        """Take `value: {secret: NAME}` as `secret: NAME`."""
        if not isinstance(data, dict):
            return data
        value = data.get("value")
        if isinstance(value, dict) and set(value) == {"secret"}:
            return {**data, "value": None, **value}
        return data

    @model_validator(mode="after")
    def _value_or_secret(self) -> Self:
        if (self.value is None) == (self.secret is None):
            raise ValueError("give either `value` or `secret`, and not both")
        return self


class Credential(_Valued):
    """A user name, password or token; a plain string is its value."""


AsCredential = Annotated[Credential, BeforeValidator(_as_mapping)]


class Pair(_Valued):
    """One query parameter or form field. The app's word for `name` is `key`."""

    name: Name

    @model_validator(mode="before")
    @classmethod
    def _key_is_name(cls, data: Any) -> Any:
        if isinstance(data, dict) and "key" in data and "name" not in data:
            data = {**data, "name": data["key"]}
            del data["key"]
        return data


class Header(Pair):
    """One header line."""

    @field_validator("name")
    @classmethod
    def _is_a_token(cls, name: str) -> str:
        if not HEADER_NAME.fullmatch(name):
            raise ValueError("a header name has letters, digits and !#$%&'*+-.^_`|~")
        if name.lower() in OWN_HEADERS:
            raise ValueError(f"{name.lower()} is set by the executor: leave it out")
        return name

    @field_validator("value")
    @classmethod
    def _is_one_line(cls, value: str | None) -> str | None:
        if value is not None and CONTROL.search(value):
            raise ValueError("a header value cannot hold line breaks or control codes")
        return value


def _as_list(value: Any) -> Any:
    """Take a map of names as a list of pairs; a list of values gives one pair each."""
    if not isinstance(value, dict):
        return value
    pairs = []
    for name, one_or_more in value.items():
        several = one_or_more if isinstance(one_or_more, list) else [one_or_more]
        for item in several:
            pairs.append({"name": name, "value": _number_as_text(item)})
    return pairs


def _number_as_text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


Headers = Annotated[
    list[Header], BeforeValidator(_as_list), Field(max_length=limits.MAX_HTTP_PAIRS)
]
Pairs = Annotated[
    list[Pair], BeforeValidator(_as_list), Field(max_length=limits.MAX_HTTP_PAIRS)
]


class JsonBody(WireModel):
    """A JSON document. `{"secret": "NAME"}` anywhere in it is the secret's value."""

    kind: Literal["json"] = "json"
    content: WireJson
    """Any JSON value; a string that is one `{{ }}` takes the value with its type."""


class FormBody(WireModel):
    """Fields as `application/x-www-form-urlencoded`."""

    kind: Literal["form"] = "form"
    fields: Pairs


class TextBody(WireModel):
    """Text as it is, in UTF-8."""

    kind: Literal["text"] = "text"
    text: WireText
    content_type: MediaType | None = None
    """Unset: a header's, else JSON when the text is JSON, else plain text. With a
    header of a form type a JSON object becomes its fields, as the app stores them."""


class Part(Pair):
    """One part of a multipart form: a field, or a file when it has a file name."""

    base64: str | None = None
    """Instead of `value`: the bytes of a file."""
    filename: Annotated[str, StringConstraints(max_length=255)] | None = None
    content_type: MediaType | None = None

    @field_validator("base64")
    @classmethod
    def _is_base64(cls, value: str | None) -> str | None:
        try:
            base64.b64decode(value or "", validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("expected standard base64") from None
        return value

    @model_validator(mode="after")
    def _value_or_secret(self) -> Self:
        given = [part is not None for part in (self.value, self.secret, self.base64)]
        if sum(given) != 1:
            raise ValueError("give one of `value`, `secret` and `base64`")
        return self


class MultipartBody(WireModel):
    """Fields and files as `multipart/form-data`."""

    kind: Literal["multipart"] = "multipart"
    parts: list[Part] = Field(min_length=1, max_length=limits.MAX_HTTP_PAIRS)


def _text_as_body(value: Any) -> Any:
    if isinstance(value, str):
        # The app stores "" when there is no body.
        return {"kind": "text", "text": value} if value else None
    return value


Body = Annotated[
    JsonBody | FormBody | TextBody | MultipartBody, Field(discriminator="kind")
]


class BasicAuth(WireModel):
    """User name and password, as RFC 7617 has them."""

    kind: Literal["basic"] = "basic"
    username: AsCredential
    password: AsCredential


class BearerAuth(WireModel):
    """A token, as RFC 6750 has it."""

    kind: Literal["bearer"] = "bearer"
    token: AsCredential


class TlsOptions(WireModel):
    """How the server of an https URL is proved."""

    verify: bool = True
    """False takes any certificate; the operator may forbid it."""
    ca_secret: SecretName | None = None
    """Secret with the PEM certificates that are trusted instead of the usual ones."""
    min_version: Literal["1.2", "1.3"] = "1.2"


class HttpTimeouts(WireModel):
    """Limits of the parts of one exchange, in seconds.

    `timeoutSeconds` of the event bounds all of it: redirects, resends and waits too.
    """

    connect_seconds: float = Field(limits.DEFAULT_CONNECT_SECONDS, gt=0, le=600)
    """Name resolution, TCP and TLS, each of them."""
    read_seconds: float = Field(
        limits.DEFAULT_READ_SECONDS, gt=0, le=limits.MAX_TIMEOUT_SECONDS
    )
    """The silence before the answer, and between two pieces of it."""
    write_seconds: float = Field(
        limits.DEFAULT_WRITE_SECONDS, gt=0, le=limits.MAX_TIMEOUT_SECONDS
    )
    """The server's not taking a piece of the request."""


def _status_pattern(value: Any) -> Any:
    text = str(value).lower() if isinstance(value, int) else value
    if isinstance(text, str) and not isinstance(value, bool):
        text = text.lower()
        if STATUS_PATTERN.fullmatch(text):
            low, _, high = text.partition("-")
            if not high or low <= high:
                return text
    raise ValueError("expected a status such as 200, a range 200-204, or a class 2xx")


StatusPattern = Annotated[str, BeforeValidator(_status_pattern)]
StatusSet = Annotated[list[StatusPattern], Field(max_length=50)]


def status_in(status: int, patterns: list[str]) -> bool:
    """Return whether a status is in a set such as `["2xx", "404", "500-503"]`."""
    for pattern in patterns:
        low, _, high = pattern.partition("-")
        if int(low.replace("x", "0")) <= status <= int((high or low).replace("x", "9")):
            return True
    return False


class HttpRequestSpec(WireModel):
    """One HTTP request, and what is made of its answer."""

    method: HttpMethod = HttpMethod.GET
    url: Annotated[
        str, StringConstraints(min_length=1, max_length=limits.MAX_URL_CHARS)
    ]
    """Values of expressions are percent-encoded, unless they end with `| raw`."""
    headers: Headers = []
    """A list of `{name, value}` (the app's `key` is taken too) or a map."""
    query: Pairs = []
    """Added to the URL's own query, encoded."""
    body: Annotated[Body | None, BeforeValidator(_text_as_body)] = None
    auth: Annotated[BasicAuth | BearerAuth, Field(discriminator="kind")] | None = None
    redirects: int = Field(limits.DEFAULT_REDIRECTS, ge=0, le=limits.MAX_REDIRECTS)
    """How many are followed; 0 takes a redirect as the answer."""
    allow_downgrade: bool = False
    """Whether a redirect may lead from https to http."""
    tls: TlsOptions = TlsOptions()
    timeouts: HttpTimeouts = HttpTimeouts()
    success_statuses: StatusSet = Field(["2xx"], min_length=1)
    retry_statuses: StatusSet = []
    """With one of these the request is sent again within the try."""
    retry_attempts: int = Field(
        limits.DEFAULT_HTTP_RESENDS, ge=0, le=limits.MAX_HTTP_RESENDS
    )
    """How often it is sent again; after the server's Retry-After, else 1, 2, 4 … s."""
    retry_max_wait_seconds: float = Field(
        limits.DEFAULT_RETRY_AFTER_SECONDS, ge=0, le=limits.MAX_RETRY_AFTER_SECONDS
    )
    """A server that asks for a longer wait is not asked again within the try."""
    max_body_bytes: int = Field(
        limits.DEFAULT_HTTP_BODY_BYTES, ge=0, le=limits.MAX_HTTP_BODY_BYTES
    )
    """How much of the answer, decompressed, is kept; the rest is not read."""

    @property
    def idempotent(self) -> bool:
        """Whether sending it twice means what sending it once means."""
        return self.method in IDEMPOTENT_METHODS

    @field_validator("method", mode="before")
    @classmethod
    def _upper(cls, method: Any) -> Any:
        return method.upper() if isinstance(method, str) else method

    @field_validator("headers", "query")
    @classmethod
    def _fit_together(cls, pairs: list[Any]) -> list[Any]:
        size = sum(
            len(pair.name) + len((pair.value or "").encode("utf-8", "replace"))
            for pair in pairs
        )
        if size > limits.MAX_HTTP_PAIRS_BYTES:
            raise ValueError(
                f"all of them together may have at most {limits.MAX_HTTP_PAIRS_BYTES} "
                f"bytes, these have {size}"
            )
        return pairs

    @field_validator("body")
    @classmethod
    def _fits_a_payload(cls, body: Body | None) -> Body | None:
        try:
            size = len(body.model_dump_json()) if body is not None else 0
        except ValueError:
            raise ValueError("expected JSON, nested at most 100 levels") from None
        if size > limits.MAX_HTTP_BODY_SPEC_BYTES:
            raise ValueError(
                f"a body may have at most {limits.MAX_HTTP_BODY_SPEC_BYTES} bytes, "
                f"this one has {size}: put large data where the server can fetch it"
            )
        return body

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        if CONTROL.search(url) or "\t" in url:
            raise ValueError("a URL cannot hold line breaks or control codes")
        if url.lstrip().startswith("{{"):
            # Scheme and host come with the input: they are checked when they are known.
            return url
        try:
            parts = urlsplit(url)
        except ValueError:
            raise ValueError("expected a URL such as https://host/path") from None
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError("expected a URL that begins with http:// or https://")
        if "@" in parts.netloc:
            raise ValueError("credentials do not belong in a URL: use `auth`")
        return url

    @model_validator(mode="after")
    def _one_authorization(self) -> Self:
        named = any(header.name.lower() == "authorization" for header in self.headers)
        if self.auth is not None and named:
            raise ValueError("give either `auth` or an Authorization header")
        return self
