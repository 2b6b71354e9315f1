"""The documentation's site as a reader has it: in a browser, wide and narrow."""

import functools
import http.server
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.pages.__main__ import build
from tests.typescript.conftest import ROOT, checked

LOOK = """
import { chromium } from "playwright-core";
const { SITE, PAGES, CHROMIUM = "/usr/bin/chromium" } = process.env;
const nowhere = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1";
const options = { executablePath: CHROMIUM, args: ["--no-sandbox", nowhere] };
const browser = await chromium.launch(options);
const problems = [];
const NETWORK_CHANGED = "net::ERR_NETWORK_CHANGED";
for (const [width, colorScheme] of [[1280, "light"], [390, "dark"]]) {
  const viewport = { width, height: 800 };
  const context = await browser.newContext({ viewport, colorScheme });
  const visit = async (at) => {
    const told = [];
    const say = (what) => told.push(`${at} at ${width}: ${what}`);
    const page = await context.newPage();
    let changed = false;
    page.on("requestfailed", (request) => {
      changed ||= request.failure().errorText === NETWORK_CHANGED;
    });
    page.on("console", (said) => said.type() === "error" && say(said.text()));
    page.on("pageerror", (error) => say(error.message));
    page.on("response", (answer) => {
      if (answer.status() >= 400) say(`${answer.status()} ${answer.url()}`);
    });
    await page.route("**", (route) => {
      if (route.request().url().startsWith(SITE)) return route.continue();
      say(`asks ${route.request().url()}`);
      return route.abort();
    });
    try {
      await page.goto(SITE + at, { waitUntil: "load" });
      const found = await page.evaluate(() => {
        const seen = [];
        const root = document.documentElement;
        const { scrollWidth, clientWidth } = root;
        if (scrollWidth > clientWidth) seen.push(`is ${scrollWidth} wide`);
        if (!document.querySelector("article h1")) seen.push("has no title");
        for (const link of document.querySelectorAll('article a[href^="#"]')) {
          const id = decodeURIComponent(link.getAttribute("href").slice(1));
          if (id && !document.getElementById(id)) seen.push(`#${id} leads nowhere`);
        }
        return seen;
      });
      found.forEach(say);
    } catch (error) {
      say(error.message);
    }
    await page.close();
    return { told, changed };
  };
  for (const at of JSON.parse(PAGES)) {
    // Containers of other tests come and go, and with them interfaces: the browser then
    // breaks off what it loads, from this machine's own address as well.
    let tried = await visit(at);
    for (let more = 20; tried.changed && more > 0; more -= 1) tried = await visit(at);
    problems.push(...tried.told);
  }
  await context.close();
}
await browser.close();
console.log(JSON.stringify(problems));
"""


# What is looked for is found: a page with one of each fault.
BAD = "bad.html"
BAD_PAGE = """<!doctype html><article><a href="#away">x</a>
<div style="width: 5000px">wide</div><img src="http://192.0.2.1/x.png">
<img src="missing.png"><script>odd()</script></article>"""


class Silent(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, format: str, *args: object) -> None:
        """See base class."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[str]]]:
    """Where the site is served, and its pages."""
    directory = tmp_path_factory.mktemp("documentation")
    made: Path = directory / "site"
    assert build(directory / "pages", made) == 0
    handler = functools.partial(Silent, directory=str(made))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    (made / BAD).write_text(BAD_PAGE)
    pages = [str(file.relative_to(made)) for file in sorted(made.rglob("*.html"))]
    yield f"http://127.0.0.1:{server.server_address[1]}/", pages
    server.shutdown()
    thread.join()
    server.server_close()


def test_each_page_is_whole_in_a_browser(
    nextjs: Path, site: tuple[str, list[str]]
) -> None:
    """Without errors, requests to others or lines too wide for a phone."""
    address, pages = site
    pages = [page for page in pages if page != "404.html"]
    assert len(pages) > 30
    env = {**os.environ, "SITE": address, "PAGES": json.dumps(pages)}
    said = checked("node", "--input-type=module", "--eval", LOOK, cwd=nextjs, env=env)
    problems: list[str] = json.loads(said)
    assert [problem for problem in problems if not problem.startswith(BAD)] == []
    for kind in ("asks http", "404", "wide", "leads nowhere", "no title", "odd is"):
        assert any(kind in problem for problem in problems), kind


@pytest.fixture(scope="module")
def nextjs() -> Path:
    """The package that has the browser's driver."""
    return ROOT / "examples" / "nextjs"
