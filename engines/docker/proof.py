"""Proof that this host enforces the profile: tried for real in throw-away containers.

A daemon may accept a limit and not enforce it (a kernel without the controller, a
runtime that ignores a field). Each row is an attempt to break one rule from inside; the
worker takes no run when one succeeds.
"""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts import names
from contracts.errors import CroniumError, EngineNotHardened, SandboxFailed
from contracts.events import Network, Resources
from contracts.logs import Stream
from engines.docker.engine import DockerEngine
from engines.docker.sandbox import DRAIN_SECONDS, Sandbox

PROBE_SECONDS = 30.0
PROBE = Resources(memory_mb=32, cpus=1.0, pids=24, tmp_mb=8)

# Prints one `name=value` line per rule, from inside the sandbox.
RULES_SCRIPT = r"""
echo "uid=$(id -u)"
echo "groups=$(id -G)"
while read -r key value; do case "$key" in
  Cap*|NoNewPrivs:|Seccomp:) echo "$key$value" | tr ':' '=' ;;
esac; done < /proc/self/status
echo "rootfs=$(touch /cronium-probe 2>&1 | grep -o 'Read-only' || echo writable)"
if unshare -Ur true 2>/dev/null; then echo userns=allowed; else echo userns=refused; fi
echo "nofile=$(ulimit -n)"
echo "core=$(ulimit -c)"
cpu=$(cat /sys/fs/cgroup/cpu.max 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us)
echo "cpu=$cpu"
head -c 16777216 /dev/zero > /tmp/fill 2>/dev/null
echo "tmp=$(wc -c < /tmp/fill)"; rm -f /tmp/fill
echo "interfaces=$(ls /sys/class/net | tr '\n' ' ')"
echo done=yes
"""
# tail keeps all it reads without a newline in memory: twice the limit.
MEMORY_SCRIPT = "head -c 67108864 /dev/zero | tail > /dev/null && echo survived"
PIDS_SCRIPT = "i=0; while [ $i -lt 60 ]; do sleep 5 & i=$((i+1)); done; echo started=$i"


@dataclass(frozen=True, slots=True)
class ProofRow:
    """One rule, whether it held, and what was seen."""

    name: str
    ok: bool
    detail: str


async def prove(engine: DockerEngine) -> list[ProofRow]:
    """Try every rule on this host.

    Raises:
        EngineError: The daemon or the image is missing, so nothing could be tried.
    """
    rules, memory, pids = await asyncio.gather(
        _probe(engine, RULES_SCRIPT),
        _probe(engine, MEMORY_SCRIPT),
        _probe(engine, PIDS_SCRIPT),
    )
    return [*_judge_rules(rules.output), _judge_memory(memory), _judge_pids(pids)]


def require(rows: list[ProofRow]) -> None:
    """Refuse the host when a rule did not hold.

    Raises:
        EngineNotHardened: The message names the rules and what was seen.
    """
    failed = [row for row in rows if not row.ok]
    if failed:
        seen = "; ".join(f"{row.name}: {row.detail}" for row in failed)
        raise EngineNotHardened(f"this host does not enforce the profile: {seen}")


@dataclass(frozen=True, slots=True)
class _Probed:
    output: str
    code: int
    oom_killed: bool


async def _probe(engine: DockerEngine, script: str) -> _Probed:
    key = "probe" + secrets.token_hex(8)
    config = engine.container_config(
        image=engine.config.image,
        command=["/bin/sh", "-c", script],
        resources=PROBE,
        network=Network.NONE,
        run_directory=None,
        labels=engine.labels({names.LABEL_ROLE: "probe", names.LABEL_RUN_KEY: key}),
    )
    await engine.images.ensure(engine.config.image)
    sandbox = Sandbox(engine.calls, f"cronium-{key}", key, None)
    engine.probes.add(key)
    try:
        return await _probed(engine, sandbox, config)
    finally:
        engine.probes.discard(key)


async def _probed(
    engine: DockerEngine, sandbox: Sandbox, config: Mapping[str, Any]
) -> _Probed:
    await engine.calls.run(
        lambda client: client.create_container_from_config(config, sandbox.name)
    )
    output: dict[Stream, list[bytes]] = {Stream.STDOUT: [], Stream.STDERR: []}
    try:
        await sandbox.attach(lambda stream, data: output[stream].append(data))
        await sandbox.start()
        end = await asyncio.wait_for(asyncio.shield(sandbox.exited), PROBE_SECONDS)
        await asyncio.wait_for(sandbox.drain(), DRAIN_SECONDS + 1)
    except TimeoutError:
        raise SandboxFailed(
            f"a container of the proof did not end within {PROBE_SECONDS:g} s"
        ) from None
    finally:
        await sandbox.remove()
    text = b"".join(output[Stream.STDOUT] + output[Stream.STDERR])
    return _Probed(text.decode(errors="replace"), end.code, end.oom_killed)


def _judge_rules(output: str) -> list[ProofRow]:
    seen: dict[str, str] = {}
    for line in output.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            seen[name] = value.strip()
    capabilities = {
        seen.get(name, "?") for name in ("CapInh", "CapPrm", "CapEff", "CapBnd")
    }
    limit = PROBE.tmp_mb << 20
    tmp = seen.get("tmp", "?")

    complete = "done" in seen

    def row(name: str, key: str, ok: bool, unit: str = "") -> ProofRow:
        detail = f"{seen.get(key, 'nothing seen')}{unit}"
        return ProofRow(
            name, complete and ok, detail if complete else "the probe broke off"
        )

    def same(name: str, key: str, wanted: str) -> ProofRow:
        return row(name, key, seen.get(key) == wanted)

    return [
        same("user", "uid", str(names.SANDBOX_UID)),
        row("groups", "groups", "0" not in seen.get("groups", "0").split()),
        row("capabilities", "CapBnd", capabilities == {"0" * 16}),
        same("no-new-privileges", "NoNewPrivs", "1"),
        same("seccomp", "Seccomp", "2"),
        same("read-only root", "rootfs", "Read-only"),
        same("user namespaces", "userns", "refused"),
        same("open files", "nofile", "1024"),
        same("core dumps", "core", "0"),
        row("cpu quota", "cpu", _limited(seen.get("cpu", ""))),
        row("/tmp size", "tmp", tmp.isdigit() and 0 < int(tmp) <= limit, " bytes"),
        same("network none", "interfaces", "lo"),
    ]


def _limited(cpu: str) -> bool:
    quota = cpu.split(" ")[0]
    return quota.isdigit() and int(quota) > 0


def _judge_memory(probed: _Probed) -> ProofRow:
    held = probed.oom_killed or "survived" not in probed.output
    detail = "killed at the limit" if held else f"64 MB used of {PROBE.memory_mb} MB"
    return ProofRow("memory", held, detail)


def _judge_pids(probed: _Probed) -> ProofRow:
    held = "started=60" not in probed.output
    detail = "fork refused at the limit" if held else f"60 processes of {PROBE.pids}"
    return ProofRow("processes", held, detail)


async def trouble_of(engine: DockerEngine) -> CroniumError | None:
    """Return None when this host may take runs, else why it may not.

    `EngineNotHardened` when a limit was not enforced; anything else when nothing could
    be tried.
    """
    try:
        require(await prove(engine))
    except CroniumError as error:
        return error
    return None
