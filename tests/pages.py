"""Sections of pages that a program writes: the text around them is written by hand.

A section stands between `<!-- NAME: … -->` and `<!-- /NAME -->`.
"""

import re
from pathlib import Path


def put_section(page: Path, name: str, text: str) -> None:
    """Replace what a section of a page holds."""
    before, _, after = _parts(page, name)
    page.write_text(f"{before}\n{text.strip()}\n\n{after}")


def section(page: Path, name: str) -> str:
    """Return what a section of a page holds."""
    return _parts(page, name)[1].strip()


def _parts(page: Path, name: str) -> tuple[str, str, str]:
    form = rf"(.*<!-- {name}: [^\n]*-->\n)(.*)(<!-- /{name} -->.*)"
    found = re.fullmatch(form, page.read_text(), re.S)
    if found is None:
        raise LookupError(f"{page} has no section {name}")
    return found[1], found[2], found[3]
