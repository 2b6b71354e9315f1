"""The documentation is true: its commands and its YAML are run, its links lead on."""

import json
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from engines.callback import signature
from tests.chaos import soak
from tests.compat import table as compat
from tests.e2e.conftest import Cronium, Listening
from tests.pages import section
from worker.settings import settings_reference

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
Secret = Callable[[str, str], None]
# A second word names the test that runs the block instead of those here.
BLOCK = re.compile(r"^```([\w ]*)\n(.*?)^```", re.M | re.S)


def blocks(language: str) -> list[tuple[str, str]]:
    return [
        (page.name, body)
        for page in PAGES
        for found, body in BLOCK.findall(page.read_text())
        if found == language
    ]


@pytest.mark.parametrize(("page", "body"), blocks("console"))
def test_the_commands_of_a_page_work(
    page: str, body: str, cronium: Cronium, tmp_path: Path
) -> None:
    for line in body.splitlines():
        if line.startswith("$ cronium "):
            done = cronium(*shlex.split(line)[2:], cwd=tmp_path)
            assert done.returncode == 0, f"{page}: {line}\n{done.stderr}"


@pytest.mark.parametrize(("page", "body"), blocks("yaml"))
def test_the_events_of_a_page_run(
    page: str,
    body: str,
    cronium: Cronium,
    secret: Secret,
    receiver: Listening,
    tmp_path: Path,
) -> None:
    event = yaml.safe_load(body)
    assert "script" in event or "http" in event, page
    for name in ("API_TOKEN", "CALLBACK_KEY"):
        secret(name, f"value of {name}")
    secret("CHAT_URL", f"json://127.0.0.1:{receiver.port}/chat")
    file = tmp_path / "event.yaml"
    # Hosts of examples are the receiver here: nothing may leave this machine.
    file.write_text(re.sub(r"https://[a-z]+[.]example[.]com", receiver.url, body))
    done = cronium("run", str(file), "--input", '{"a": 1}', "--json")
    assert done.returncode == 0, f"{page}: {done.stderr}"
    rows = json.loads(done.stdout)["actions"]
    assert {row["status"] for row in rows} <= {"SUCCESS"}, f"{page}: {rows}"
    if "http" in event:
        assert receiver.seen, page


@pytest.mark.parametrize(
    ("language", "page", "body"),
    [
        (language, page, body)
        for language in ("python", "javascript", "bash")
        for page, body in blocks(language)
        if page in ("helpers.md", "variables.md")
    ],
)
def test_the_scripts_of_a_page_run(
    language: str, page: str, body: str, cronium: Cronium, tmp_path: Path
) -> None:
    suffix = {"python": "py", "javascript": "js", "bash": "sh"}[language]
    file = tmp_path / f"script.{suffix}"
    file.write_text(body)
    for given in ([], ["--input", '{"region": "north"}']):
        done = cronium("run", str(file), "--network", "none", *given)
        assert done.returncode == 0, f"{page}: {done.stdout}{done.stderr}"


VERIFY = re.compile(r"^```(python|javascript) verify\n(.*?)^```", re.M | re.S)
CALL = {
    "python": "import json, sys\nkey, at, signature, body = json.load(sys.stdin)\n"
    "print(is_genuine(key.encode(), at, signature, body.encode()))",
    "javascript": "const [key, at, signature, body] = JSON.parse(require('fs')"
    ".readFileSync(0, 'utf8'));\nconsole.log(isGenuine(key, at, signature, body));",
}


@pytest.mark.parametrize(
    ("language", "body"), VERIFY.findall((ROOT / "docs" / "actions.md").read_text())
)
def test_receivers_that_check_as_the_page_says_tell_true_from_false(
    language: str, body: str
) -> None:
    program = [sys.executable, "-c"] if language == "python" else ["node", "-e"]

    def verdict(**changes: str) -> str:
        now = str(int(time.time()))
        given = {"key": "k", "at": now, "body": '{"é": 1}', **changes}
        signed = signature(b"k", given["at"], '{"é": 1}'.encode())
        given = {"signature": signed, **given}
        order = [given[name] for name in ("key", "at", "signature", "body")]
        done = subprocess.run(
            [*program, body + CALL[language]],
            input=json.dumps(order),
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip().lower()

    assert verdict() == "true"
    assert verdict(key="another") == "false"
    assert verdict(body='{"é": 2}') == "false"
    assert verdict(signature="v1=é") == "false"
    assert verdict(signature="") == "false"
    assert verdict(at=str(int(time.time()) - 400)) == "false"


def test_there_is_code_for_receivers_in_two_languages() -> None:
    found = VERIFY.findall((ROOT / "docs" / "actions.md").read_text())
    assert [language for language, _ in found] == ["python", "javascript"]


def test_the_table_of_helpers_is_up_to_date() -> None:
    assert section(compat.PAGE, compat.NAME) == compat.table(), "run `make docs`"


def test_the_page_of_reliability_has_its_place_for_numbers() -> None:
    assert section(soak.PAGE, "soak")


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
