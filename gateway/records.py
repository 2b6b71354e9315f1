"""Reads what a worker sends and refuses, record by record, what cannot be stored.

A reason names the place, never the content: a log line may hold a secret.
"""

import base64
import binascii
from typing import Any

import orjson
from pydantic import ValidationError

from contracts.limits import MAX_ID_LENGTH, MAX_LINE_BYTES, MIB
from contracts.logs import ExecutionRecord, IngestMessage, LineBatch
from contracts.validation import path_of
from contracts.wire_text import json_size
from gateway.errors import RecordRefused

MAX_MESSAGE_BYTES = 4 * MIB
MAX_BATCH_LINES = 10_000
MAX_TARGET_LENGTH = 200
# What PostgreSQL's integer columns hold; larger numbers are nonsense anyway.
_MAX_ATTEMPT = 2**31 - 1
_MAX_NUMBER = 2**53
# The last second of year 9999, which is where Python's dates end.
_MAX_TIMESTAMP = 253_402_300_799
_NUL_SHOWN = "\u2400"


def parse(text: str, expected_id: int) -> IngestMessage:
    """Return the message in `text`, checked and ready to be stored.

    Raises RecordRefused with the message's own id, or with `expected_id` (ids count
    from 1 per connection) when not even the id can be read.
    """
    # Characters are at most bytes, so this lets nothing through that is too large in
    # characters and spares encoding the text once more.
    if len(text) > MAX_MESSAGE_BYTES:
        limit = f"{MAX_MESSAGE_BYTES // MIB} MiB"
        raise RecordRefused(expected_id, f"message: larger than {limit}")
    try:
        message = IngestMessage.model_validate_json(text)
    except ValidationError as error:
        raise RecordRefused(_id_of(text, expected_id), _reason(error)) from None
    problem = _problem(message.record)
    if message.id > _MAX_NUMBER:
        problem = "id: too large"
    if problem:
        raise RecordRefused(message.id, problem)
    if isinstance(message.record, LineBatch):
        return message.model_copy(update={"record": _without_nul(message.record)})
    return message


def _id_of(text: str, expected_id: int) -> int:
    try:
        found: Any = orjson.loads(text)["id"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return expected_id
    return found if type(found) is int and found >= 1 else expected_id


def _reason(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[
        0
    ]
    # The name of the union's branch is not a place in the message.
    location = [
        part
        for index, part in enumerate(first["loc"])
        if not (index == 1 and part in ("lines", "execution"))
    ]
    words = {
        "union_tag_invalid": "unknown kind of record",
        "missing": "required, but missing",
        "json_invalid": "not valid JSON",
    }
    message = words.get(first["type"], first["msg"])
    return f"{path_of(location) or 'message'}: {message}"


def _problem(record: LineBatch | ExecutionRecord) -> str:
    if not 0 < len(record.execution_id) <= MAX_ID_LENGTH:
        return f"record.executionId: 1 to {MAX_ID_LENGTH} characters expected"
    if not 0 <= record.timestamp <= _MAX_TIMESTAMP:
        return "record.timestamp: not a time before the year 10000"
    if isinstance(record, ExecutionRecord):
        return _problem_of_execution(record)
    return _problem_of_batch(record) or _problem_of_lines(record)


def _problem_of_execution(record: ExecutionRecord) -> str:
    for name, limit in (
        ("executionId", MAX_ID_LENGTH),
        ("eventId", 200),
        ("eventName", 1_000),
        ("eventType", 100),
        ("user", 200),
        ("trigger", 100),
        ("workflowId", 1_000),
        ("runId", 1_000),
    ):
        value = getattr(record, _snake(name))
        if len(value) > limit or "\0" in value:
            return f"record.{name}: more than {limit} characters, or a NUL in it"
    if record.result and not 0 <= record.result.logs.stored <= _MAX_NUMBER:
        return "record.result.logs.stored: not a count"
    return ""


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


def _problem_of_batch(batch: LineBatch) -> str:
    if "\0" in batch.target or "\0" in batch.execution_id:
        return "record: a NUL in a name"
    if not 0 < len(batch.target) <= MAX_TARGET_LENGTH:
        return f"record.target: 1 to {MAX_TARGET_LENGTH} characters expected"
    if batch.attempt > _MAX_ATTEMPT:
        return "record.attempt: too large"
    if batch.dispatch > _MAX_ATTEMPT:
        return "record.dispatch: too large"
    if batch.first_seq > _MAX_NUMBER:
        return "record.firstSeq: too large"
    if len(batch.lines) > MAX_BATCH_LINES:
        return f"record.lines: more than {MAX_BATCH_LINES} lines"
    if not 0 <= batch.dropped <= _MAX_NUMBER:
        return "record.dropped: not a count"
    if batch.dropped and len(batch.lines) != 1:
        return "record.lines: a drop mark has exactly one line"
    return ""


def _problem_of_lines(batch: LineBatch) -> str:
    if batch.lines and max(map(len, batch.lines)) > MAX_LINE_BYTES:
        index = next(i for i, t in enumerate(batch.lines) if len(t) > MAX_LINE_BYTES)
        return f"record.lines[{index}]: longer than {MAX_LINE_BYTES} characters"
    for index, encoded in batch.raw.items():
        if not 0 <= index < len(batch.lines):
            return f"record.raw.{index}: there is no such line"
        try:
            size = len(base64.b64decode(encoded, validate=True))
        except (binascii.Error, ValueError):
            return f"record.raw.{index}: not Base64"
        if size > MAX_LINE_BYTES:
            return f"record.raw.{index}: longer than {MAX_LINE_BYTES} bytes"
    for index, data in batch.data.items():
        if not 0 <= index < len(batch.lines):
            return f"record.data.{index}: there is no such line"
        try:
            size = json_size(data)
        except ValueError:
            return f"record.data.{index}: not JSON that can be written"
        if size > MAX_LINE_BYTES:
            return f"record.data.{index}: longer than {MAX_LINE_BYTES} bytes of JSON"
    return ""


def _without_nul(batch: LineBatch) -> LineBatch:
    """PostgreSQL cannot hold U+0000: show it as a symbol, keep the bytes in `raw`."""
    found = [index for index, text in enumerate(batch.lines) if "\0" in text]
    if not found:
        return batch
    lines, raw = list(batch.lines), dict(batch.raw)
    for index in found:
        raw.setdefault(index, base64.b64encode(lines[index].encode()).decode())
        lines[index] = lines[index].replace("\0", _NUL_SHOWN)
    return batch.model_copy(update={"lines": lines, "raw": raw})
