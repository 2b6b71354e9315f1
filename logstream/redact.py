"""Takes secret values out of text, in every form they usually leave a program in.

Masked are the value itself, its base64 forms at all three alignments (standard and URL
alphabet; also cut in lines as base64 tools do, when the value stands first), its
URL-, JSON-, shell- and Python-escaped and hexadecimal forms, and each longer line of a
value with several lines. What a script transforms in another way (reversed, say, or
encrypted, or printed letter by letter) cannot be recognised.
"""

import base64
import itertools
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote, quote_plus

MASK = b"***"
# Shorter values are in too many innocent words: masking them hides the log itself.
MIN_SECRET_CHARS = 4
# Lines of a key file are masked one by one; a lone brace of a JSON secret is not.
MIN_LINE_CHARS = 8
# GNU base64, MIME and Python cut at 76 letters, PEM and OpenSSL at 64.
WRAP_WIDTHS = (64, 76)
# The regular expression compiler calls itself for every group in a group.
MAX_PATTERN_DEPTH = 30
# Forms as long as this are told from most text by the kinds of their first letters,
# which pays when there are many of them.
LONG_FORM_CHARS = 16
FEW_FORMS = 32
# What JavaScript's encodeURIComponent leaves as it is, and Python's quote does not.
SCRIPT_SAFE = "!'()*"


class Redactor:
    """Knows the secrets of one run.

    Args:
        secrets: The values; those shorter than 4 characters are left alone.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        values = {value for secret in secrets if (value := _without_end(secret))}
        long_enough = {v for v in values if len(v) >= MIN_SECRET_CHARS}
        self.too_short = len(values) - len(long_enough)
        forms = {form for value in long_enough for form in forms_of(value)}
        self._forms = sorted(forms)
        self._pattern = re.compile(_pattern(self._forms)) if self._forms else None
        self._longest = max((len(form) for form in self._forms), default=0)
        self._spans_lines = any(b"\n" in form for form in self._forms)
        # To see in a moment whether the end of a chunk may begin a form: a key file
        # has hundreds of them, and every position near the end is asked for.
        self._by_head: dict[bytes, list[bytes]] = {}
        for form in self._forms:
            self._by_head.setdefault(form[:MIN_SECRET_CHARS], []).append(form)
        self._heads = {
            head[:size]
            for head in self._by_head
            for size in range(1, MIN_SECRET_CHARS + 1)
        }

    def text(self, text: str) -> str:
        """Return a finished text without the secrets."""
        if self._pattern is None:
            return text
        data = text.encode("utf-8", "surrogatepass")
        return self._pattern.sub(MASK, data).decode("utf-8", "surrogatepass")

    def value(self, value: Any) -> Any:
        """Return a JSON value without the secrets, in texts, keys and numbers."""
        if isinstance(value, dict):
            return {self.text(k): self.value(inner) for k, inner in value.items()}
        if isinstance(value, list):
            return [self.value(inner) for inner in value]
        if isinstance(value, str):
            return self.text(value)
        written = json.dumps(value)
        shown = self.text(written)
        return value if shown == written else shown

    def stream(self) -> "RedactingStream":
        """Return a redactor for data that comes in pieces."""
        return RedactingStream(self)

    def mask(self, data: bytes) -> tuple[bytes, bytes]:
        """Return what is certain, masked, and the tail that may begin a secret."""
        if self._pattern is None:
            return data, b""
        cut = self._open_tail(data)
        done, position = [], 0
        for match in self._pattern.finditer(data):
            # One that begins behind the cut may yet become a longer one.
            if match.start() >= cut:
                break
            done += [data[position : match.start()], MASK]
            position = match.end()
            cut = max(cut, position)
        done.append(data[position:cut])
        return b"".join(done), data[cut:]

    def close(self, data: bytes) -> bytes:
        """Return the last data, masked as a whole."""
        return self._pattern.sub(MASK, data) if self._pattern else data

    def _open_tail(self, data: bytes) -> int:
        start = max(0, len(data) - self._longest + 1)
        if not self._spans_lines:
            # No form goes past a newline, so only the unfinished line may grow.
            start = max(start, data.rfind(b"\n") + 1)
        heads = self._heads
        for position in range(start, len(data)):
            head = data[position : position + MIN_SECRET_CHARS]
            if head in heads and self._may_grow(head, data, position):
                return position
        return len(data)

    def _may_grow(self, head: bytes, data: bytes, position: int) -> bool:
        if len(head) < MIN_SECRET_CHARS:
            return True
        tail = data[position:]
        return any(
            len(form) > len(tail) and form.startswith(tail)
            for form in self._by_head[head]
        )


class RedactingStream:
    """Redacts one stream; a secret that is cut by a chunk's end is still found."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Return what can be said for certain so far."""
        ready, self._held = self._redactor.mask(self._held + data)
        return ready

    def flush(self) -> bytes:
        """Return the rest, at the end of the stream."""
        rest, self._held = self._held, b""
        return self._redactor.close(rest)


def _pattern(forms: list[bytes]) -> bytes:
    """Return a pattern for any of the sorted forms; of several the longest wins."""
    long = [form for form in forms if len(form) >= LONG_FORM_CHARS]
    if len(forms) <= FEW_FORMS or not long:
        return _either(forms)
    kinds = b"".join(
        _one_of({form[place] for form in long}) for place in range(LONG_FORM_CHARS)
    )
    quick = b"(?=" + kinds + b")" + _either(long)
    short = [form for form in forms if len(form) < LONG_FORM_CHARS]
    return quick + b"|" + _either(short) if short else quick


def _one_of(letters: set[int]) -> bytes:
    return b"[" + b"".join(b"\\x%02x" % letter for letter in sorted(letters)) + b"]"


def _either(forms: Sequence[bytes], depth: int = 0) -> bytes:
    """Return a pattern for any of the sorted forms; of several the longest wins.

    What they begin with in common is tried once: with a plain list of the hundreds of
    forms of a key file a chunk of output takes a hundred times as long.
    """
    if depth > MAX_PATTERN_DEPTH:
        longest_first = sorted(forms, key=len, reverse=True)
        return b"(?:" + b"|".join(map(re.escape, longest_first)) + b")"
    ends_here = not forms[0]
    branches = []
    for _, alike in itertools.groupby(forms[ends_here:], key=lambda form: form[0]):
        group = list(alike)
        common = _common_beginning(group[0], group[-1])
        rest = [form[len(common) :] for form in group]
        more = _either(rest, depth + 1) if len(rest) > 1 else b""
        branches.append(re.escape(common) + more)
    return b"(?:" + b"|".join(branches) + b")" + (b"?" if ends_here else b"")


def _common_beginning(first: bytes, last: bytes) -> bytes:
    for index, (a, b) in enumerate(zip(first, last, strict=False)):
        if a != b:
            return first[:index]
    return min(first, last, key=len)


def forms_of(value: str) -> set[bytes]:
    """Return every form of a value that is masked."""
    value = _without_end(value)
    if len(value) < MIN_SECRET_CHARS:
        return set()
    forms = set(_encodings(value))
    lines = [line.strip() for line in value.splitlines()]
    if len(lines) > 1:
        for line in lines:
            if len(line) >= MIN_LINE_CHARS:
                forms |= set(_encodings(line))
    return {form for form in forms if len(form) >= MIN_SECRET_CHARS}


def _without_end(value: str) -> str:
    """Return a value without the end of line that a secret's file usually has."""
    return value.strip("\r\n")


def _encodings(value: str) -> Iterable[bytes]:
    data = value.encode("utf-8", "surrogatepass")
    yield data
    # What a terminal makes of a value with several lines.
    yield data.replace(b"\n", b"\r\n")
    yield data.strip()
    for escaped in (*_url_escaped(data), *_quoted(value)):
        yield escaped.encode("utf-8", "surrogatepass")
    yield base64.b64encode(data)
    yield base64.urlsafe_b64encode(data)
    yield data.hex().encode()
    yield data.hex().upper().encode()
    yield from _base64_forms(data)


def _url_escaped(data: bytes) -> Iterable[str]:
    for escaped in (
        quote(data, safe=""),
        quote(data),
        quote(data, safe=SCRIPT_SAFE),
        quote_plus(data),
        # Java's URLEncoder and the browsers' URLSearchParams.
        quote_plus(data, safe="*").replace("~", "%7E"),
    ):
        yield escaped
        yield re.sub("%[0-9A-F]{2}", lambda m: m[0].lower(), escaped)


def _quoted(value: str) -> Iterable[str]:
    for ascii_only in (True, False):
        inner = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield inner
        yield inner.replace("/", "\\/")
        # Go writes these as escapes, so that JSON can stand in HTML.
        yield re.sub("[<>&]", lambda m: f"\\u{ord(m[0]):04x}", inner)
        yield re.sub(r"\\u[0-9a-f]{4}", lambda m: "\\u" + m[0][2:].upper(), inner)
    # What Python's tracebacks and a shell's `set -x` show.
    yield repr(value)[1:-1]
    yield value.replace("'", "'\\''")


def _base64_forms(data: bytes) -> Iterable[bytes]:
    for shift in range(3):
        # Bytes before the value shift its letters; only those that depend on the value
        # alone are the same whatever stands around it.
        encoded = base64.b64encode(b"\0" * shift + data)
        begin = (shift * 8 + 5) // 6
        end = (shift + len(data)) * 8 // 6
        core = encoded[begin:end]
        if len(core) >= MIN_SECRET_CHARS:
            yield core
            yield core.translate(bytes.maketrans(b"+/", b"-_"))
        if shift:
            continue
        for width in WRAP_WIDTHS:
            lines = [core[i : i + width] for i in range(0, len(core), width)]
            yield b"\n".join(lines)
