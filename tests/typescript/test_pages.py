"""The pages about TypeScript are true: their programs are run."""

import json
import re
from pathlib import Path

import pytest

from tests.typescript.conftest import CLIENT, ROOT, checked, environment

DOCS = ROOT / "docs"
README = ROOT / "examples" / "nextjs" / "README.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.M | re.S)
PROGRAMS = [
    body
    for page in (DOCS / "typescript.md", CLIENT / "README.md")
    for language, body in BLOCK.findall(page.read_text())
    if language == "javascript"
]


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_the_programs_of_the_page_run(client: Path, state: Path, number: int) -> None:
    said = checked(
        *("node", "--input-type=module", "-e", PROGRAMS[number]),
        cwd=client,
        env=environment(state),
    )
    assert said.strip(), PROGRAMS[number]


def test_the_page_names_every_class_that_the_client_alone_has() -> None:
    source = (ROOT / "clients/typescript/src/errors.ts").read_text()
    page = (DOCS / "typescript.md").read_text()
    for name in re.findall(r"^export class (\w+)", source, re.M):
        assert f"`{name}`" in page, name


def test_the_readme_of_the_example_names_files_and_targets_that_exist() -> None:
    text = README.read_text()
    for name in re.findall(r"`((?:lib|app|components)/[\w./]+)`", text):
        assert (README.parent / name).exists(), name
    scripts = json.loads((README.parent / "package.json").read_text())["scripts"]
    assert {"dev"} <= set(scripts)
    for body in re.findall(r"^```json\n(.*?)^```", text, re.M | re.S):
        assert json.loads(body)
