"""A webhook from end to end: a call of another system runs a script."""

import json
import re
from pathlib import Path

from tests.e2e.conftest import Cronium

EVENT = """
name: Deploy
type: bash
network: none
script: |
  echo "deploying $(cronium_input | jq -r .ref) by $(cronium_event | jq -r .trigger)"
"""


def test_a_call_runs_the_script_with_its_body(cronium: Cronium, tmp_path: Path) -> None:
    (tmp_path / "event.yaml").write_text(EVENT)
    added = cronium(
        "hook", "add", "event.yaml", "--id", "e2e", "--user", "ann", cwd=tmp_path
    )
    assert added.returncode == 0, added.stderr
    secret = re.search(r"^secret: +(\S+)$", added.stdout, re.M)
    assert secret
    try:
        called = cronium("hook", "test", "e2e", "--data", '{"ref": "v1.2"}')
        assert called.returncode == 0, called.stderr
        execution = called.stdout.strip()
        log = cronium("logs", "-f", execution)
        assert "deploying v1.2 by webhook" in log.stdout, log.stderr
        status = cronium("status", execution, "--json")
        found = json.loads(status.stdout)
        assert found["status"] == "SUCCESS", status.stdout
        assert secret[1] not in json.dumps(found)
    finally:
        assert cronium("hook", "delete", "e2e").returncode == 0
