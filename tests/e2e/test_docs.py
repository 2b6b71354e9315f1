"""The documentation is true: its commands and its YAML are run, its links lead on."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.e2e.conftest import Cronium
from worker.settings import settings_reference

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)


def blocks(language: str) -> list[tuple[str, str]]:
    return [
        (page.name, body)
        for page in PAGES
        for found, body in BLOCK.findall(page.read_text())
        if found == language
    ]


@pytest.mark.parametrize(("page", "body"), blocks("console"))
def test_the_commands_of_a_page_work(page: str, body: str, cronium: Cronium) -> None:
    for line in body.splitlines():
        if line.startswith("$ cronium "):
            done = cronium(*shlex.split(line)[2:])
            assert done.returncode == 0, f"{page}: {line}\n{done.stderr}"


@pytest.mark.parametrize(("page", "body"), blocks("yaml"))
def test_the_events_of_a_page_run(
    page: str, body: str, cronium: Cronium, tmp_path: Path
) -> None:
    assert yaml.safe_load(body)["script"], page
    file = tmp_path / "event.yaml"
    file.write_text(body)
    done = cronium("run", str(file), "--input", '{"a": 1}')
    assert done.returncode == 0, f"{page}: {done.stderr}"


def test_the_configuration_page_is_up_to_date() -> None:
    written = (ROOT / "docs" / "configuration.md").read_text()
    assert settings_reference().strip() in written, "run `make docs`"


def test_no_link_between_pages_is_broken() -> None:
    missing = [
        f"{page.name} → {target}"
        for page in PAGES
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert missing == []


def test_the_readme_is_short_and_its_targets_exist() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 180
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"^make (\w+)", text, re.M)):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_words_that_have_no_place_here_are_not_in_any_file() -> None:
    tracked = subprocess.run(
        ["git", "grep", "-lIE", "pypi[.]org|pythonhosted[.]org|registry[.]npmjs"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert tracked.stdout.split() in ([], ["tests/e2e/test_docs.py"])
