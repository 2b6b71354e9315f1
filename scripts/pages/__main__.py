"""Build the site: `python -m scripts.pages [DIRECTORY]`.

Pages are copied to `build/pages`, with those that are made from the code; MkDocs makes
the site of them in strict mode, so that a warning is an error. Nothing is fetched.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from scripts.pages.commands import command_page
from scripts.pages.contract import contract_page, schemas
from scripts.pages.errors import error_page
from scripts.pages.links import inside
from scripts.pages.metrics import metric_page
from scripts.pages.nav import navigation
from scripts.pages.rest import rest_page

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "docs"
PAGES = ROOT / "build" / "pages"
SITE = ROOT / "build" / "site"
CONFIG = SOURCE / "mkdocs.yml"
ABOUT = ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")


def gather(pages: Path) -> None:
    """Write all pages of the site into a directory, which is made anew."""
    shutil.rmtree(pages, ignore_errors=True)
    shutil.copytree(SOURCE, pages, ignore=shutil.ignore_patterns("*.head", CONFIG.name))
    (pages / "about").mkdir()
    for name in ABOUT:
        shutil.copy(ROOT / name, pages / "about" / name.lower())
    reference = pages / "reference"
    (reference / "schemas").mkdir(parents=True)
    made = {
        "commands.md": command_page(),
        "rest.md": rest_page(),
        "contract.md": contract_page(),
        "errors.md": error_page(),
        "metrics.md": metric_page(),
        **{f"schemas/{name}.json": text for name, text in schemas().items()},
    }
    for name, text in made.items():
        (reference / name).write_text(text)
    for page in pages.rglob("*.md"):
        page.write_text(inside(page.read_text(), page, pages, ROOT))


def write_config(pages: Path, site: Path) -> Path:
    """Return the configuration with the pages that there are."""
    config = yaml.safe_load(CONFIG.read_text())
    config |= {"docs_dir": str(pages), "site_dir": str(site), "nav": navigation(pages)}
    file = pages.parent / f"{pages.name}.yml"
    file.write_text(yaml.safe_dump(config, sort_keys=False))
    return file


def make_site(config: Path) -> subprocess.CompletedProcess[str]:
    """Run MkDocs; a warning is an error.

    Never with `--quiet`: MkDocs counts only the warnings that it prints.
    """
    # Material's notice about its own future is on stderr, where faults belong.
    command = ["env", "NO_MKDOCS_2_WARNING=1", sys.executable, "-m", "mkdocs"]
    command += ["build", "--strict", "--clean", "--config-file", str(config)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def build(pages: Path = PAGES, site: Path = SITE) -> int:
    """Build the site, say what is wrong; return MkDocs' exit status."""
    gather(pages)
    done = make_site(write_config(pages, site))
    faults = [line for line in done.stderr.splitlines() if not line.startswith("INFO")]
    print("\n".join(faults), file=sys.stderr)
    return done.returncode


if __name__ == "__main__":
    status = build(site=Path(sys.argv[1]) if len(sys.argv) > 1 else SITE)
    print(f"the site is in {SITE}" if status == 0 else "the site has faults")
    raise SystemExit(status)
