"""Sizes and durations as people write them: "512MB", "1GiB", "30s", "1h30m".

As with Docker, KB, MB and GB are powers of 1024 here: an event's `memoryMb: 2048` fits
under a ceiling of "2GB".
"""

import math
import re
from typing import Annotated

from pydantic import BeforeValidator

SIZE_EXPECTED = "expected a size such as 512MB, 1GiB or a number of bytes"
DURATION_EXPECTED = "expected a duration such as 30s, 5m, 1h30m or a number of seconds"

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_SIZE_FACTOR = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", re.IGNORECASE)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def parse_size(value: object) -> int:
    """Return a size in bytes.

    Raises:
        ValueError: The value is not a size; the message does not repeat it.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(SIZE_EXPECTED)
    return int(float(match[1]) * _SIZE_FACTOR[match[2].lower()])


def parse_duration(value: object) -> float:
    """Return a duration in seconds.

    Raises:
        ValueError: The value is not a duration; the message does not repeat it.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _checked(float(value))
    if not isinstance(value, str):
        raise ValueError(DURATION_EXPECTED)
    text = value.strip()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if not text or _PART.sub("", text).strip():
        raise ValueError(DURATION_EXPECTED)
    return math.fsum(
        float(number) * _SECONDS[unit.lower()] for number, unit in _PART.findall(text)
    )


def format_size(size: int) -> str:
    """Return bytes in the largest unit that needs no fraction."""
    for unit, factor in (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)):
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)


def format_duration(seconds: float) -> str:
    """Return seconds in the largest unit that needs no fraction."""
    for unit, factor in (("h", 3600), ("m", 60)):
        if seconds and seconds % factor == 0:
            return f"{seconds / factor:.0f}{unit}"
    return f"{seconds:g}s"


def _checked(seconds: float) -> float:
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError(DURATION_EXPECTED)
    return seconds


Size = Annotated[int, BeforeValidator(parse_size)]
Duration = Annotated[float, BeforeValidator(parse_duration)]
