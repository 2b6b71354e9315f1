"""The helper's files: old interpreters read them, every run's directory has them."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sdk
from contracts.events import EventType
from engines.docker.rundir import RunDirectories

FOLDER = Path(sdk.__file__).parent
PYTHON = sorted((FOLDER / "python").rglob("*.py"))
NODE = sorted(
    p for p in (FOLDER / "node").iterdir() if p.suffix in (".js", ".cjs", ".mjs")
)
BASH = sorted((FOLDER / "bash").glob("*.sh"))
RELAY = FOLDER / "bash" / "relay.pl"
TYPES = Path(__file__).parents[1] / "compat" / "types"
MAX_LINES = 400
# What Node.js 14 cannot read or does not have.
NEWER_THAN_NODE_14 = re.compile(
    r"\?\?=|\|\|=|&&=|\.at\(|replaceAll|Object\.hasOwn\b|structuredClone|Promise\.any|"
    r"\bstatic \{|[\s.]#\w+\s*[=(;]|['\"]node:|\bfetch\(|AbortSignal|error\.cause"
)
# What Bash 4.0 cannot read: 4.2 brought \u and printf's time, 4.3 namerefs and array
# negative subscripts, 4.4 and 5 the @ operators and their clocks.
NEWER_THAN_BASH_4 = re.compile(
    r"local -n|declare -n|EPOCH|SRANDOM|\$\{\w+@|\[-1\]|%\(|-v \w+ \]\]|\bwait -n|"
    r"readarray -d|mapfile -d|shopt -s (?:inherit_errexit|localvar)"
)
TSC = Path(__file__).parents[1] / "node" / "node_modules" / ".bin" / "tsc"


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: path.name)
def test_python_3_7_can_read_it(path: Path) -> None:
    ast.parse(path.read_text(), feature_version=(3, 7))


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: path.name)
def test_it_needs_the_standard_library_alone(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            assert name.split(".")[0] in {*sys.stdlib_module_names, "cronium"}


@pytest.mark.parametrize("path", NODE, ids=lambda path: path.name)
def test_node_14_can_read_it_and_has_what_it_needs(path: Path) -> None:
    subprocess.run(["node", "--check", str(path)], check=True)
    assert NEWER_THAN_NODE_14.findall(path.read_text()) == []


@pytest.mark.parametrize("path", BASH, ids=lambda path: path.name)
def test_bash_4_can_read_it(path: Path) -> None:
    subprocess.run(["bash", "-n", str(path)], check=True)
    assert NEWER_THAN_BASH_4.findall(path.read_text()) == []


def test_perl_can_read_it_and_needs_nothing_but_its_smallest_package() -> None:
    done = subprocess.run(["perl", "-c", RELAY], capture_output=True, text=True)
    assert done.stderr.endswith("syntax OK\n")
    used = set(re.findall(r"^use ([\w:]+)", RELAY.read_text(), re.M))
    assert used == {"strict", "warnings", "constant", "Fcntl", "Socket"}


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (NEWER_THAN_NODE_14, "a ??= 1"),
        (NEWER_THAN_NODE_14, "class A { #b = 1 }"),
        (NEWER_THAN_NODE_14, "require('node:fs')"),
        (NEWER_THAN_BASH_4, "local -n a=b"),
        (NEWER_THAN_BASH_4, "echo ${a@Q}"),
        (NEWER_THAN_BASH_4, "printf '%(%s)T'"),
    ],
)
def test_what_is_too_new_is_found(pattern: re.Pattern[str], text: str) -> None:
    assert pattern.search(text)


def test_shellcheck_finds_nothing() -> None:
    command = ["shellcheck", "-s", "bash", "-x", "-P", str(FOLDER.parent)]
    files = [str(path) for path in (*BASH, FOLDER / "bin" / "command")]
    done = subprocess.run([*command, *files], capture_output=True, text=True)
    assert done.stdout == ""


@pytest.mark.parametrize(
    "path", [*PYTHON, *NODE, *BASH, RELAY], ids=lambda path: path.name
)
def test_no_file_is_too_long_and_each_says_what_it_is_for(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= MAX_LINES
    assert lines[0].startswith(('"""', "/**", "#"))


@pytest.mark.parametrize(
    ("name", "errors"), [("required.cts", 0), ("imported.mts", 0), ("refused.mts", 2)]
)
def test_the_types_accept_what_works(name: str, errors: int, tmp_path: Path) -> None:
    shutil.copytree(FOLDER / "node", tmp_path / "node_modules" / "cronium")
    shutil.copy(TYPES / name, tmp_path)
    options = ["--noEmit", "--strict", "--target", "es2022", "--module", "node16"]
    done = subprocess.run(
        [TSC, *options, name], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.count("error TS") == errors, done.stdout


def test_the_helper_s_own_settings_are_not_taken_for_the_run_s(tmp_path: Path) -> None:
    runs = RunDirectories(tmp_path / "runs")
    env = {"PYTHONPATH": "/mine", "X": "it's $HOME"}
    runs.create("k", event_type=EventType.NODEJS, script="", env=env, documents={})
    assert runs.environment("k") == env


def test_a_run_s_directory_carries_it_for_everybody_to_read(tmp_path: Path) -> None:
    directory = RunDirectories(tmp_path / "runs").create(
        "k", event_type=EventType.BASH, script=":", env={}, documents={}
    )
    assert {
        "sdk/python/cronium/__init__.py",
        "sdk/python/sitecustomize.py",
        "sdk/bash/cronium.sh",
        "sdk/bin/cronium.input",
        "node_modules/cronium/package.json",
        "node_modules/cronium/cronium.mjs",
    } <= set(sdk.carried())
    for name, data in sdk.carried().items():
        assert (directory / name).read_bytes() == data
        wanted = 0o555 if name.startswith("sdk/bin/") else 0o444
        assert (directory / name).stat().st_mode & 0o777 == wanted
    folders = [path for path in directory.rglob("*") if path.is_dir()]
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o755}
    assert not [name for name in sdk.carried() if "__pycache__" in name]
