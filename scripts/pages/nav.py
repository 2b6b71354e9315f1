"""The order of the site's pages.

A page that is listed and not there is left out; one that is there and not listed comes
under "More", so that a new page is never lost. To give it a place, list it here.
"""

from pathlib import Path
from typing import Any

SECTIONS: dict[str, list[tuple[str, str]]] = {
    "": [("Cronium executor", "index.md"), ("Quick start", "quick-start.md")],
    "Concepts": [
        ("How it works", "concepts.md"),
        ("Architecture", "architecture.md"),
        ("Reliability", "reliability.md"),
        ("Performance", "performance.md"),
        ("Coming from another tool", "coming-from.md"),
    ],
    "How to": [
        ("Events", "events.md"),
        ("Helpers of scripts", "helpers.md"),
        ("HTTP requests", "http.md"),
        ("Actions", "actions.md"),
        ("Variables", "variables.md"),
        ("Servers over SSH", "ssh.md"),
        ("Workflows", "workflows.md"),
        ("Schedules", "schedules.md"),
        ("Webhooks", "webhooks.md"),
        ("TypeScript client", "typescript.md"),
        ("Next.js", "nextjs.md"),
        ("Migrate from Cronium's app", "migration.md"),
    ],
    "Operate": [
        ("Deployment", "deployment.md"),
        ("Kubernetes", "kubernetes.md"),
        ("Operations", "operations.md"),
        ("Gateway", "gateway.md"),
        ("Observability", "observability.md"),
        ("Scale", "scale.md"),
        ("Encryption", "encryption.md"),
        ("Upgrade", "upgrade.md"),
        ("Changing workflows", "changing-workflows.md"),
        ("Security", "security.md"),
        ("Troubleshooting", "troubleshooting.md"),
    ],
    "Reference": [
        ("Settings", "configuration.md"),
        ("Commands", "reference/commands.md"),
        ("REST API", "reference/rest.md"),
        ("Contract", "reference/contract.md"),
        ("Errors", "reference/errors.md"),
        ("Metrics", "reference/metrics.md"),
    ],
    "About": [
        ("Contributing", "about/contributing.md"),
        ("Reporting a weakness", "about/security.md"),
        ("Changes", "about/changelog.md"),
    ],
}
MORE = "More"


def navigation(pages: Path) -> list[Any]:
    """Return MkDocs' `nav` for the pages of a directory."""
    there = {str(page.relative_to(pages)) for page in pages.rglob("*.md")}
    nav: list[Any] = []
    for section, entries in SECTIONS.items():
        found = [{title: page} for title, page in entries if page in there]
        there -= {page for _, page in entries}
        if section and found:
            nav.append({section: found})
        else:
            nav += found
    if there:
        nav.append({MORE: sorted(there)})
    return nav
