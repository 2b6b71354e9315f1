"""Ids and tags: the short words that people give to things."""

from typing import Annotated

from pydantic import StringConstraints

from contracts import limits, names

Identifier = Annotated[
    str,
    StringConstraints(
        min_length=1, max_length=limits.MAX_ID_LENGTH, pattern=names.ID_PATTERN
    ),
]
Tag = Annotated[
    str, StringConstraints(min_length=1, max_length=limits.MAX_TAG_LENGTH, strict=True)
]
