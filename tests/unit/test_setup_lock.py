"""requirements.lock pins everything, by hash, and names no place to get it from."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
PINS = {
    name: set(filter(None, extras.split(",")))
    for name, extras in re.findall(r"^([a-z0-9._-]+)(?:\[(.*)\])?==", LOCK, re.M)
}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def wanted() -> list[str]:
    """The names of what pyproject.toml asks for."""
    project = PROJECT["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    return [re.split(r"[\[<>=~! ]", line)[0] for line in lines]


@pytest.mark.parametrize("name", wanted())
def test_what_the_project_asks_for_is_pinned(name: str) -> None:
    assert name in PINS


def test_what_builds_the_project_is_pinned() -> None:
    assert "setuptools" in PINS


def test_every_pin_has_a_hash() -> None:
    for entry in re.split(r"\n(?=[a-z0-9])", LOCK)[1:]:
        assert "--hash=sha256:" in entry, entry


def test_no_address_is_named() -> None:
    assert not re.search(r"://|--(extra-)?index-url|--find-links", LOCK)


def test_extras_are_pinned_with_the_package() -> None:
    # pip takes `name[extra]` for unpinned when the lock names `name` alone, and then
    # refuses everything as soon as a newer version of it is published.
    for package in PINS:
        try:
            requirements = metadata.requires(package) or []
        except metadata.PackageNotFoundError:
            continue  # for another system than this
        for requirement in map(Requirement, requirements):
            if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
                continue
            name = re.sub(r"[-_.]+", "-", requirement.name).lower()
            assert requirement.extras <= PINS[name], f"{package} wants {requirement}"
