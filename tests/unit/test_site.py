"""The documentation as a site: built without a warning, from what the code says."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema_rs import meta

from cli.main import COMMANDS, GROUPS
from contracts.errors import CroniumError
from scripts.pages.__main__ import build, gather, make_site, write_config
from scripts.pages.errors import all_errors
from scripts.pages.links import inside
from scripts.pages.nav import MORE, navigation
from scripts.pages.rest import description

ROOT = Path(__file__).parents[2]
EXTERNAL = re.compile(
    r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=\"?(//|https?:)"
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages and, in `site`, what MkDocs made of them."""
    directory = tmp_path_factory.mktemp("documentation")
    assert build(directory / "pages", directory / "site") == 0
    return directory


@pytest.fixture(scope="module")
def pages(built: Path) -> Path:
    return built / "pages"


def html(site: Path) -> Iterator[tuple[str, str]]:
    for file in site.rglob("*.html"):
        yield str(file.relative_to(site)), file.read_text()


def test_every_page_of_the_repository_is_on_the_site(built: Path) -> None:
    site = {name for name, _ in html(built / "site")}
    wanted = {f"{page.stem}.html" for page in (ROOT / "docs").glob("*.md")}
    wanted |= {f"about/{name}.html" for name in ("contributing", "security")}
    assert wanted <= site


def test_a_broken_link_fails_the_build(tmp_path: Path) -> None:
    pages, site = tmp_path / "pages", tmp_path / "site"
    gather(pages)
    page = pages / "index.md"
    page.write_text(page.read_text() + "\n[away](nowhere.md)\n")
    done = make_site(write_config(pages, site))
    assert done.returncode != 0
    assert "nowhere.md" in done.stderr


def test_no_page_asks_another_host_for_anything(built: Path) -> None:
    for name, text in html(built / "site"):
        assert not EXTERNAL.search(text), name
        # Material fetches its renderer of diagrams from elsewhere.
        assert 'class="mermaid"' not in text, name


def test_every_command_has_its_place_in_the_reference(pages: Path) -> None:
    text = (pages / "reference" / "commands.md").read_text()
    for group in (*COMMANDS.values(), *GROUPS.values()):
        for name in group:
            assert f"`cronium {name}`" in text, name


def test_every_call_of_the_gateway_has_its_place(pages: Path) -> None:
    text = (pages / "reference" / "rest.md").read_text()
    calls = [
        f"## `{method.upper()} {path}`"
        for path, methods in description()["paths"].items()
        for method in methods
    ]
    assert len(calls) > 10
    assert [call for call in calls if call not in text] == []


def test_every_error_has_its_place(pages: Path) -> None:
    text = (pages / "reference" / "errors.md").read_text()
    assert {"HostLost", "SshAuthTimeout", "InvalidRequest"} <= {
        one.__name__ for one in all_errors()
    }
    for error in all_errors():
        assert issubclass(error, CroniumError)
        assert f"| `{error.__name__}` |" in text


def test_metrics_are_named_as_prometheus_has_them(pages: Path) -> None:
    text = (pages / "reference" / "metrics.md").read_text()
    assert "| `cronium_jobs_completed_total` | counter | `type` |" in text
    assert "| `cronium_gateway_commit_seconds` | histogram |" in text


def test_the_schemas_beside_the_contract_are_schemas(pages: Path) -> None:
    files = sorted((pages / "reference" / "schemas").glob("*.json"))
    assert "EventRequest.json" in [file.name for file in files]
    for file in files:
        assert meta.is_valid(json.loads(file.read_text())), file.name


def test_fields_are_explained_by_what_the_source_says(pages: Path) -> None:
    text = (pages / "reference" / "contract.md").read_text()
    assert re.search(r"\| `graceSeconds` \| number \| `5.0` \| Time between TERM", text)


def test_a_page_that_nobody_listed_is_not_lost(tmp_path: Path) -> None:
    for name in ("index.md", "events.md", "brand-new.md"):
        (tmp_path / name).write_text("# x\n")
    assert navigation(tmp_path) == [
        {"Cronium executor": "index.md"},
        {"How to": [{"Events": "events.md"}]},
        {MORE: ["brand-new.md"]},
    ]


@pytest.mark.parametrize(
    ("link", "becomes"),
    [
        ("[a](events.md#results)", "[a](events.md#results)"),
        ("[a](../examples/hello.py)", "a (`examples/hello.py`)"),
        ("[a](https://example.com)", "[a](https://example.com)"),
        ("[a](../SECURITY.md)", "[a](about/security.md)"),
        ("[a](missing.md)", "[a](missing.md)"),
    ],
    ids=["page", "file", "address", "moved", "missing"],
)
def test_links_out_of_the_pages_become_names_of_files(
    link: str, becomes: str, pages: Path
) -> None:
    assert inside(link, pages / "index.md", pages, ROOT) == becomes


def test_every_block_of_a_page_is_seen_as_code(built: Path) -> None:
    for name, text in html(built / "site"):
        assert "```" not in re.sub(r"<code>.*?</code>", "", text, flags=re.S), name
