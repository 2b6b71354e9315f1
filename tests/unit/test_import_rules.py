"""The rules between the packages, the sizes of the house, read from the source."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "contracts", "workflows", "activities", "engines", "logstream", "gateway",
    "worker", "cli", "schedules", "migration",
)  # fmt: skip
HTTP_LIBRARIES = {"httpx", "httpcore", "h11", "uvicorn"}
ALLOWED = {
    "contracts": {"pydantic"},
    "workflows": {"contracts", "temporalio", "jinja2"},
    "engines": {
        "contracts",
        "sdk",
        "docker",
        "requests",
        *HTTP_LIBRARIES,
        "jinja2",
        "apprise",
        "asyncssh",
    },
    "logstream": {"contracts", "orjson", "websockets"},
    "schedules": {"contracts", "temporalio", "cronsim", "yaml"},
    "activities": {"contracts", "engines", "logstream", "temporalio", "orjson"},
    "migration": {"contracts", "pydantic", "yaml"},
}
ONLY_IN = {"docker": "engines/docker/", "asyncssh": "engines/ssh/"}
NOBODY_IMPORTS = {"worker": {"worker", "cli"}, "cli": {"cli"}}
MAX_MODULE_LINES, MAX_FUNCTION_LINES = 400, 80


def modules() -> list[Path]:
    return [
        path
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if "migrations" not in path.parts
    ]


def imports_of(source: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names)


def broken_rules(path: str, source: str) -> list[str]:
    package = path.split("/")[0]
    broken = []
    for name in sorted(imports_of(source)):
        allowed = ALLOWED.get(package)
        if allowed is not None and name not in {*allowed, package}:
            broken.append(f"{path}: {package} must not import {name}")
        if name in ONLY_IN and not path.startswith((ONLY_IN[name], "cli/checks.py")):
            broken.append(f"{path}: only {ONLY_IN[name]} imports {name}")
        if package not in NOBODY_IMPORTS.get(name, {package}):
            broken.append(f"{path}: nothing imports {name}")
    reads = "os.environ" in source or "os.getenv" in source
    if reads and not path.startswith("worker/settings"):
        broken.append(f"{path}: only worker/settings reads the environment")
    return broken


def test_imports_go_one_way() -> None:
    broken = [
        rule
        for path in modules()
        for rule in broken_rules(str(path.relative_to(ROOT)), path.read_text())
    ]
    assert broken == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("workflows/x.py", "import engines.docker"),
        ("contracts/x.py", "import orjson"),
        ("logstream/x.py", "from temporalio import activity"),
        ("gateway/x.py", "import docker"),
        ("gateway/x.py", "from worker.settings import Settings"),
        ("activities/x.py", "import cli"),
        ("gateway/x.py", "import os\nos.environ['A']"),
    ],
)
def test_a_broken_rule_is_found(path: str, source: str) -> None:
    assert broken_rules(path, source)


def test_no_module_and_no_function_is_too_long() -> None:
    long = []
    for path in modules():
        source = path.read_text()
        if len(source.splitlines()) > MAX_MODULE_LINES:
            long.append(str(path))
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                size = (node.end_lineno or 0) - node.lineno + 1
                if size > MAX_FUNCTION_LINES:
                    long.append(f"{path}:{node.name} {size}")
    assert long == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in modules()
        if not (ast.get_docstring(ast.parse(path.read_text())) or "").strip()
        or "Placeholder" in path.read_text()
    ]
    assert silent == []
