"""What `cronium migrate` writes runs: events in a sandbox, variables at the gateway."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.e2e.conftest import Cronium

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "migration.md").read_text()
EXPORT = {
    "events": [
        {
            "id": 1,
            "name": "First",
            "type": "PYTHON",
            "content": "import os\n"
            "print(os.environ['TIER'], len(os.environ['DB_PASSWORD']))\n"
            "cronium.output({'rows': 3})\n",
            "timeoutValue": 1,
            "timeoutUnit": "MINUTES",
            "envVars": [
                {"key": "TIER", "value": "blue"},
                {"key": "DB_PASSWORD", "value": "it-is-not-in-a-file"},
            ],
        },
        {
            "id": 2,
            "name": "Second",
            "type": "BASH",
            "content": 'test "$(cronium_input | jq .rows)" = 3\n'
            'test "$(cronium_get_variable LAST_REPORT)" = "2026-05-04"\n',
        },
    ],
    "workflows": [
        {
            "id": 1,
            "name": "Both",
            "nodes": [{"id": 1, "eventId": 1}, {"id": 2, "eventId": 2}],
            "edges": [
                {"sourceNodeId": 1, "targetNodeId": 2, "connectionType": "ON_SUCCESS"}
            ],
        }
    ],
    "userVariables": [{"id": 1, "key": "LAST_REPORT", "value": "2026-05-04"}],
}


def test_a_migrated_workflow_runs_with_its_secret_and_its_variable(
    cronium: Cronium, secret: Callable[[str, str], None], tmp_path: Path
) -> None:
    (tmp_path / "export.json").write_text(json.dumps(EXPORT))
    done = cronium("migrate", "export.json", "--out", "jobs", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    jobs = tmp_path / "jobs"
    secret("FIRST_DB_PASSWORD", "it-is-not-in-a-file")
    # The words of the script's lines, given to the real command and its gateway.
    for line in (jobs / "variables.sh").read_text().splitlines():
        if line.startswith("cronium "):
            words = subprocess.run(
                ["sh", "-c", f"set -- {line}; printf '%s\\0' \"$@\""],
                capture_output=True,
                text=True,
                check=True,
            ).stdout.split("\0")[1:-1]
            done = cronium(*words, cwd=jobs)
            assert done.returncode == 0, done.stderr
    done = cronium("workflow", "run", "workflows/both.yaml", "--json", cwd=jobs)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    result = json.loads(done.stdout)
    assert [node["status"] for node in result["nodes"]] == ["SUCCESS", "SUCCESS"]
    assert "it-is-not-in-a-file" not in done.stdout + done.stderr


def test_the_commands_of_the_page_work(cronium: Cronium, tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples" / "migration" / "export.json", tmp_path)
    (block,) = re.findall(r"^```console migration\n(.*?)^```", PAGE, re.M | re.S)
    lines = [line for line in block.splitlines() if line.startswith("$ cronium ")]
    assert len(lines) == 2
    for line in lines:
        done = cronium(*shlex.split(line)[2:], cwd=tmp_path)
        assert done.returncode == 0, f"{line}: {done.stderr}"
    assert "nightly-report" in done.stdout
