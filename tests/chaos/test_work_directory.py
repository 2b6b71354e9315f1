"""Links, pipes and races that a script makes never lead to a file of the host."""

import asyncio
from pathlib import Path

from contracts.results import Status
from tests.caller import event
from tests.chaos.plant import Plant
from tests.chaos.truth import nothing_left

# Everything a script may write to, with every kind of file that is no file; then a race
# that goes on while the sandbox is taken down.
HOSTILE = r"""
for place in /tmp /run/cronium . "$HOME"; do
  ln -s /etc/shadow "$place/link" 2>/dev/null
  ln -s {secret} "$place/host" 2>/dev/null
  ln -s / "$place/root" 2>/dev/null
  mkfifo "$place/output.json" 2>/dev/null
  ln /etc/passwd "$place/hard" 2>/dev/null
done
for name in output.json condition.json start script.sh environment input.json; do
  ln -sf {secret} "/run/cronium/$name" 2>/dev/null && echo "replaced $name"
  (echo x > "/run/cronium/$name") 2>/dev/null && echo "wrote $name"
done
cat /tmp/host /tmp/link /etc/shadow {secret} 2>/dev/null
(while :; do ln -sfn / /tmp/swap; ln -sfn /tmp /tmp/swap; done) &
echo done
"""


async def test_nothing_of_the_host_is_read_written_or_waited_for(plant: Plant) -> None:
    secret = plant.directory / "host-secret"
    secret.write_text("only for the host\n")
    before = state_of("/etc/passwd")
    script = HOSTILE.replace("{secret}", str(secret))
    handle = await plant.caller.start(event(script, timeoutSeconds=20))
    execution = handle.id.rpartition(":")[2]
    # A reader of the host that opens a pipe of the script's would wait for ever.
    result = await asyncio.wait_for(handle.result(), 40)
    assert result.status is Status.SUCCESS, result
    log = await plant.caller.logs(execution)
    printed = [line["text"] for line in log if line["stream"] == "stdout"]
    assert printed == ["done"]
    assert secret.read_text() == "only for the host\n"
    assert state_of("/etc/passwd") == before
    await nothing_left(plant)


def state_of(path: str) -> tuple[int, float]:
    """Return what a link to a file or a write to it would change."""
    found = Path(path).stat()
    return found.st_nlink, found.st_mtime
