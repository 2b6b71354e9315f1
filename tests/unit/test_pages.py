"""Sections that programs write into pages: the words around them stay as they are."""

import shutil
from pathlib import Path

import pytest

from tests.chaos.soak import PAGE
from tests.pages import put_section, section


def test_a_section_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n\n<!-- x: by hand -->\nold\n<!-- /x -->\n\nafter\n")
    for text in ("| a |\n| --- |\n", "new"):
        put_section(page, "x", text)
        assert section(page, "x") == text.strip()
    assert page.read_text() == (
        "before\n\n<!-- x: by hand -->\n\nnew\n\n<!-- /x -->\n\nafter\n"
    )


def test_a_page_without_the_section_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("text\n")
    with pytest.raises(LookupError, match="no section x"):
        put_section(page, "x", "new")
    assert page.read_text() == "text\n"


def test_the_numbers_of_a_soak_have_a_place_in_their_page(tmp_path: Path) -> None:
    page = Path(shutil.copy(PAGE, tmp_path))
    put_section(page, "soak", "| What | Count |\n| --- | ---: |\n| runs lost | 0 |")
    written, before = page.read_text(), PAGE.read_text()
    assert "| runs lost | 0 |" in written
    assert written.partition("<!-- soak")[0] == before.partition("<!-- soak")[0]
    assert written.partition("<!-- /soak")[2] == before.partition("<!-- /soak")[2]
