"""The page that shows one log live in a browser.

It is the same bytes for every execution: the id comes from the address and the token
from the fragment, which browsers never send. Its policy allows the one script and the
one style below by their hashes, and nothing else.
"""

import base64
import hashlib

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from gateway.page_script import SCRIPT
from gateway.page_style import STYLE

_HTML = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Log</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<strong id="name"></strong>
<span id="status" role="status"></span>
<progress id="progress" max="1" hidden></progress>
<span id="step"></span>
<span id="note" role="status" aria-live="polite"></span>
<label><input type="checkbox" id="follow" checked> Follow</label>
<button type="button" id="download">Download</button>
</header>
<div id="earlier" hidden></div>
<main id="log" role="log" tabindex="0"></main>
<noscript>This page needs JavaScript.</noscript>
<script>{SCRIPT}</script>
</body>
</html>
"""


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


_POLICY = "; ".join(
    (
        "default-src 'none'",
        f"script-src {_hash(SCRIPT)}",
        f"style-src {_hash(STYLE)}",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

router = APIRouter()


@router.get("/logs/{execution_id}", response_class=HTMLResponse, tags=["logs"])
async def log_page(execution_id: str) -> HTMLResponse:
    """Return the page; open it as `/logs/{id}#token=…`."""
    return HTMLResponse(_HTML, headers={"Content-Security-Policy": _POLICY})
