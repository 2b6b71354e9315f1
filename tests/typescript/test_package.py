"""The package as an app gets it: packed, installed into an empty folder, used."""

import json
import re
import tarfile
from pathlib import Path

import pytest

from tests.typescript.conftest import CLIENT, ROOT, checked, environment

PAGES = [CLIENT / "README.md", ROOT / "docs/typescript.md", ROOT / "docs/nextjs.md"]
REQUIRED = """
const { getCronium, PayloadValidationError } = require("@cronium/client");
const cronium = getCronium();
const event = { id: "e", name: "E", type: "perl", script: "1" };
cronium.runEvent(event).catch((error) => {
  console.log(error instanceof PayloadValidationError, error.problems[0].path);
  return cronium.close();
});
"""


@pytest.fixture(scope="module")
def packed(client: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `npm pack` makes."""
    directory = tmp_path_factory.mktemp("packed")
    checked("npm", "pack", "--silent", "--pack-destination", str(directory), cwd=client)
    (made,) = directory.iterdir()
    return made


@pytest.fixture(scope="module")
def app(packed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty app that has installed it."""
    directory = tmp_path_factory.mktemp("app")
    checked("npm", "init", "-y", cwd=directory)
    quiet = ("--no-audit", "--no-fund", "--prefer-offline")
    checked("npm", "install", *quiet, str(packed), cwd=directory)
    return directory


def test_the_pages_name_the_file_that_is_made(packed: Path) -> None:
    for page in PAGES:
        named = re.findall(r"clients/typescript/(\S+\.tgz)", page.read_text())
        assert named == [packed.name], page


def test_it_holds_what_is_built_and_nothing_else(packed: Path) -> None:
    with tarfile.open(packed) as archive:
        names = {name.removeprefix("package/") for name in archive.getnames()}
    beside = {name for name in names if not name.startswith("dist/")}
    assert beside == {"package.json", "README.md"}
    for kind in ("esm", "cjs"):
        for entry in ("index.js", "index.d.ts", "browser.js", "browser.d.ts"):
            assert f"dist/{kind}/{entry}" in names


def test_the_program_of_its_readme_runs_in_an_empty_app(app: Path, state: Path) -> None:
    text = (CLIENT / "README.md").read_text()
    (program,) = re.findall(r"^```javascript\n(.*?)^```", text, re.M | re.S)
    said = checked(
        *("node", "--input-type=module", "-e", program),
        cwd=app,
        env=environment(state),
    )
    assert said.splitlines()[1:] == ["Hello, Ada", "SUCCESS 0"]


def test_it_can_be_required_and_refuses_with_the_field(app: Path, state: Path) -> None:
    said = checked("node", "-e", REQUIRED, cwd=app, env=environment(state))
    assert said.split() == ["true", "event.type"]


def test_its_licence_is_the_projects(app: Path) -> None:
    package = app / "node_modules" / "@cronium" / "client" / "package.json"
    assert json.loads(package.read_text())["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text()
