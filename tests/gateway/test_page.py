"""The log page: the same bytes for everybody, and text is never markup."""

import base64
import hashlib
import json
import re
import subprocess
from pathlib import Path

import pytest

from gateway.page_script import SCRIPT
from gateway.page_style import STYLE
from tests.gateway.conftest import Gateway


async def test_the_page_holds_nothing_of_the_request(gateway: Gateway):
    plain = await gateway.get("/logs/x", headers={})
    assert plain.status_code == 200
    for name in ("%3Cscript%3Ealert(1)", "%22%3E%3Cimg%20onerror=alert(1)%3E"):
        odd = await gateway.get(f"/logs/{name}", headers={})
        assert odd.content == plain.content


async def test_the_policy_allows_exactly_the_one_script_and_style(gateway: Gateway):
    answer = await gateway.get("/logs/x", headers={})
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    for tag in ("script", "style"):
        (inline,) = re.findall(f"<{tag}>(.*?)</{tag}>", answer.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Frame-Options"] == "DENY"


def test_the_script_never_makes_markup_from_text():
    for word in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval("):
        assert word not in SCRIPT
    assert "</script" not in SCRIPT


_HARNESS = r"""
const made = [];
function node() {
  return { children: [], style: {}, dataset: {}, classList: { add() {} },
    addEventListener() {}, append(...all) { this.children.push(...all); } };
}
globalThis.location = { pathname: "/logs/x", hash: "", protocol: "http:" };
globalThis.document = {
  getElementById: node, createElement: node, createDocumentFragment: node, title: "" };
SCRIPT_HERE
const into = node();
painted(process.argv[1], into);
process.stdout.write(JSON.stringify(
  into.children.map((c) => [
    c.textContent, c.style.color || "", c.style.backgroundColor || ""])));
"""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain <b>", [("plain <b>", "", "")]),
        ("\x1b[31mred\x1b[0m on", [("red", "var(--ansi-1)", ""), (" on", "", "")]),
        ("\x1b[38;5;196mx", [("x", "rgb(255,0,0)", "")]),
        ("\x1b[38;2;1;2;999mx", [("x", "rgb(1,2,255)", "")]),
        ("a\x1b]0;title\x07b", [("a", "", ""), ("b", "", "")]),
        ("a\x1b]8;;javascript:x\x1b\\b", [("a", "", ""), ("b", "", "")]),
        ("a\x1b[2J\x1b[Hb\x07\x08c", [("a", "", ""), ("b", "", ""), ("c", "", "")]),
        ("a\u202eb", [("a", "", ""), ("b", "", "")]),
        # Whatever is turned round or has a background can be read.
        ("\x1b[7mx", [("x", "var(--page)", "var(--text)")]),
        ("\x1b[7;31mx", [("x", "var(--on-ansi)", "var(--ansi-1)")]),
        ("\x1b[7;31;42mx", [("x", "var(--ansi-2)", "var(--ansi-1)")]),
        ("\x1b[43mx", [("x", "var(--on-ansi)", "var(--ansi-3)")]),
        ("\x1b[30;43mx", [("x", "var(--on-ansi)", "var(--ansi-3)")]),
        ("\x1b[48;5;236mx", [("x", "#ffffff", "rgb(48,48,48)")]),
        ("\x1b[48;2;250;250;250mx", [("x", "#000000", "rgb(250,250,250)")]),
        # A progress bar shows what a terminal would show last.
        ("10%\r\x1b[32m50%\r99%\r", [("99%", "var(--ansi-2)", "")]),
    ],
)
def test_only_colours_of_control_sequences_have_an_effect(
    text: str, shown: list[tuple[str, str, str]], tmp_path: Path
):
    script = SCRIPT.replace("  // --- lines", "  globalThis.painted = paint;\n  //", 1)
    file = tmp_path / "harness.cjs"
    harness = _HARNESS.replace("SCRIPT_HERE", script)
    file.write_text(harness.replace("process.argv[1]", "process.argv[2]"))
    done = subprocess.run(
        ["node", str(file), text], capture_output=True, text=True, check=True
    )
    assert [tuple(part) for part in json.loads(done.stdout)] == shown


def test_every_colour_that_the_script_names_is_in_both_styles():
    for name in ("page", "text", "on-ansi", *(f"ansi-{n}" for n in range(16))):
        assert len(re.findall(rf"--{name}: #[0-9a-f]{{6}};", STYLE)) == 2
    assert set(re.findall(r"var\(--([a-z-]+)\)", SCRIPT)) == {"page", "text", "on-ansi"}
