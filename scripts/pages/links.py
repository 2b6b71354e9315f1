"""Pages as the site needs them: links that stay on it, blocks that are seen as code."""

import os
import re
from pathlib import Path

LINK = re.compile(r"\[(?P<text>[^\]]+)\]\((?P<target>(?!https?:|#)[^)\s]+)\)")
# A second word names the test that runs the block; MkDocs would not know the fence.
FENCE = re.compile(r"^(```\w+) [^\n`]+$", re.M)
# Where the repository's own pages are on the site.
MOVED = {
    "CONTRIBUTING.md": "about/contributing.md",
    "SECURITY.md": "about/security.md",
    "CHANGELOG.md": "about/changelog.md",
    "README.md": "index.md",
}


def inside(text: str, page: Path, pages: Path, root: Path) -> str:
    """Return a page as it is on the site."""

    def replace(match: re.Match[str]) -> str:
        path, mark, anchor = match["target"].partition("#")
        if (page.parent / path).exists():
            return match[0]
        # Pages of the repository's root have moved one directory down.
        for base in (root / "docs" / page.relative_to(pages).parent, root):
            target = Path(os.path.normpath(base / path))
            if not target.exists():
                continue
            name = str(target.relative_to(root))
            moved = MOVED.get(name, name.removeprefix("docs/"))
            if (pages / moved).exists():
                link = os.path.relpath(pages / moved, page.parent)
                return f"[{match['text']}]({link}{mark}{anchor})"
            return f"{match['text']} (`{name}`)"
        return match[0]

    return LINK.sub(replace, FENCE.sub(r"\1", text))
