"""The body of an answer: decompressed under a limit, as text when it is text."""

import base64
import codecs
import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from contracts import limits

# zlib's words for: gzip header, zlib header, no header at all.
GZIP, ZLIB, BARE = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
GZIP_NAMES, DEFLATE_NAMES = ("gzip", "x-gzip"), ("deflate",)
CHARSET = re.compile(r"charset\s*=\s*\"?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
# Python has codecs that are no charsets, and some that take quadratic time.
CHARSETS = re.compile(
    r"utf-(8|16|32)(-[lb]e)?|ascii|iso8859-\d+|cp\d+|koi8-[rut]|shift_jis.*|euc_\w+"
    r"|gb\w+|big5\w*"
)
JSON_TYPE = re.compile(r"application/(?:[\w.+-]+\+)?json\s*(?:;|$)", re.IGNORECASE)

RawHeaders = Sequence[tuple[bytes, bytes]]


class Mask(Protocol):
    """Takes secrets out; `logstream.Redactor` is one."""

    def text(self, text: str) -> str:
        """Return a finished text without the secrets."""

    def mask(self, data: bytes) -> tuple[bytes, bytes]:
        """Return what is certain, masked, and the tail that may begin a secret."""

    def close(self, data: bytes) -> bytes:
        """Return the last data, masked as a whole."""


class BodyBrokenError(Exception):
    """The body is not what its Content-Encoding says."""


class BodyReader:
    """Keeps the beginning of a body; never more than the limit is in memory.

    Args:
        headers: Those of the answer.
        limit: Bytes to keep, after decompression.
    """

    def __init__(self, headers: RawHeaders, limit: int) -> None:
        self._limit = limit
        self._kept = bytearray()
        self._coding = header_of(headers, b"content-encoding").strip().lower()
        self._inflater = _inflater(self._coding)
        self._head = b""
        self.full = False
        """Whether there was more than the limit."""

    @property
    def data(self) -> bytes:
        """What is kept."""
        return bytes(self._kept[: self._limit])

    def feed(self, chunk: bytes) -> None:
        """Take a piece as it came over the wire.

        Raises:
            BodyBrokenError: It cannot be decompressed.
        """
        while chunk and not self.full:
            # One byte more than is kept tells a full body from a cut one.
            room = self._limit + 1 - len(self._kept)
            if self._inflater is None:
                self._kept += chunk[:room]
                chunk = b""
            else:
                chunk = self._inflate(chunk, room)
            self.full = len(self._kept) > self._limit

    def finish(self) -> None:
        """Say that the body is over.

        Raises:
            BodyBrokenError: Its compressed data end too early.
        """
        inflater = self._inflater
        if inflater and self._kept and not inflater.eof and not self.full:
            raise BodyBrokenError("its compressed data end too early")

    def _inflate(self, chunk: bytes, room: int) -> bytes:
        inflater = self._inflater
        if inflater.eof:
            if self._coding not in GZIP_NAMES or not chunk.startswith(b"\x1f"):
                # Padding after the end is common, and nobody's concern.
                return b""
            inflater = self._inflater = zlib.decompressobj(GZIP)
        try:
            self._kept += inflater.decompress(chunk, room)
        except zlib.error:
            if inflater.eof or self._kept or self._coding not in DEFLATE_NAMES:
                raise BodyBrokenError(f"it is not valid {self._coding} data") from None
            # Half of the world leaves out the header that "deflate" means.
            self._coding = "bare deflate"
            self._inflater = zlib.decompressobj(BARE)
            return self._head + chunk
        # The header is judged when both of its bytes are there.
        self._head = (self._head + chunk)[:1]
        rest: bytes = inflater.unconsumed_tail or inflater.unused_data
        return rest


def _inflater(coding: str) -> Any:
    if coding in GZIP_NAMES:
        return zlib.decompressobj(GZIP)
    if coding in DEFLATE_NAMES:
        return zlib.decompressobj(ZLIB)
    # What we did not ask for is handed on as it is.
    return None


@dataclass(frozen=True, slots=True)
class ShownBody:
    """A body as a result has it."""

    text: str = ""
    is_base64: bool = False
    json: Any = None


def show_body(
    headers: RawHeaders, data: bytes, complete: bool, mask: Mask
) -> ShownBody:
    """Return a body as text or base64, and parsed when it is JSON; secrets masked.

    Args:
        headers: Those of the answer.
        data: What was kept.
        complete: Whether that is all of it.
        mask: Takes the secrets out.
    """
    content_type = header_of(headers, b"content-type")
    coded = header_of(headers, b"content-encoding").strip().lower()
    readable = coded in ("", "identity", *GZIP_NAMES, *DEFLATE_NAMES)
    text = _decoded(data, content_type, complete) if readable else None
    if text is None:
        return ShownBody(base64.b64encode(_masked(data, complete, mask)).decode(), True)
    text = _masked(text.encode(), complete, mask).decode(errors="ignore")
    if complete and JSON_TYPE.match(content_type):
        return ShownBody(text, json=_parsed(text))
    return ShownBody(text)


def _masked(data: bytes, complete: bool, mask: Mask) -> bytes:
    # A secret that the limit cut in two is still half a secret.
    return mask.close(data) if complete else mask.mask(data)[0]


def _decoded(data: bytes, content_type: str, complete: bool) -> str | None:
    found = CHARSET.search(content_type)
    name = "utf-8"
    if found:
        try:
            name = codecs.lookup(found[1]).name
        except LookupError:
            name = "utf-8"
    if not CHARSETS.fullmatch(name):
        name = "utf-8"
    try:
        text: str = codecs.getincrementaldecoder(name)().decode(data, complete)
        text.encode()
    except UnicodeError:
        return None
    return None if "\0" in text else text.removeprefix("\ufeff")


def _parsed(text: str) -> Any:
    """Return a JSON document, or None when it is none that could be handed on."""
    try:
        value = json.loads(text, parse_constant=_refused, parse_float=_finite)
        # Lone surrogates and the like must be found before Temporal finds them.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return None
    return value if _depth_of(value) <= limits.MAX_JSON_DEPTH else None


def _refused(_: str) -> Any:
    raise ValueError


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError
    return value


def _depth_of(value: Any) -> int:
    depth, level = 0, [value]
    while level:
        depth += 1
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
    return depth


def header_of(headers: RawHeaders, name: bytes) -> str:
    """Return the first header of a name, or ""."""
    for key, value in headers:
        if key.lower() == name:
            return value.decode("latin-1")
    return ""
