"""A secret that a script says through the helper is masked wherever people look."""

import asyncio
import base64
import json
from pathlib import Path

from tests.stack import Stack, event
from tests.temporal.test_event_workflow import execution_of

SECRET = "hunter2-hunter2"
SCRIPT = """
import cronium, os, time
secret = os.environ["PASSWORD"]
cronium.log("error", "login with " + secret, {secret: [secret], "n": 1})
cronium.progress(0.5, "logging in with " + secret)
print(secret, flush=True)
time.sleep(3)
raise SystemExit(secret)
"""


async def test_log_progress_heartbeat_and_error_have_no_secret(stack: Stack) -> None:
    assert isinstance(stack.settings.secrets.directory, Path)
    (stack.settings.secrets.directory / "PASSWORD").write_text(SECRET)
    env = [{"name": "PASSWORD", "secret": "PASSWORD"}]
    handle = await stack.start(event(SCRIPT, type="python", env=env))
    beat = b""
    async with asyncio.timeout(30):
        while b"logging in" not in beat:
            found = (await handle.describe()).raw_description.pending_activities
            beat = b"".join(
                payload.data
                for pending in found
                for payload in pending.heartbeat_details.payloads
            )
            await asyncio.sleep(0.1)
    assert b"logging in with ***" in beat
    assert SECRET.encode() not in beat
    result = await handle.result()
    lines = await stack.logs(await execution_of(handle))
    said = [line["data"] for line in lines if line["stream"] == "log"]
    assert said[0] == {"level": "error", "fields": {"***": ["***"], "n": 1}}
    assert said[1]["progress"]["text"] == "logging in with ***"
    history = json.loads((await handle.fetch_history()).to_json())
    for text in (json.dumps(lines), result.model_dump_json(), everything(history)):
        assert SECRET not in text
    assert result.error is not None


def everything(value: object) -> str:
    """Return all texts of a history, its payloads decoded."""
    if isinstance(value, dict):
        return " ".join(everything(inner) for inner in value.values())
    if isinstance(value, list):
        return " ".join(map(everything, value))
    if isinstance(value, str):
        try:
            return value + base64.b64decode(value, validate=True).decode(
                errors="replace"
            )
        except ValueError:
            return value
    return ""
