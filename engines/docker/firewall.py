"""The host's rules for what comes out of an egress bridge.

They refuse the blocked ranges before a packet leaves, and all that a sandbox sends to
the host itself. Where they cannot be set, egress is refused: a network that silently is
not filtered would be worse than none.
"""

import asyncio
import contextlib
import re
import shlex
import shutil

from contracts.errors import EgressUnavailable

FORWARD_CHAIN = "DOCKER-USER"
CHAINS = (FORWARD_CHAIN, "INPUT")
COMMAND_SECONDS = 10.0
# Linux allows 15 characters in the name of an interface.
BRIDGE = re.compile("crn-[0-9a-f]{8}")

Rule = tuple[str, ...]


async def close_off(bridge: str, blocked: list[str]) -> None:
    """Set the rules of a bridge; those that are there stay.

    Raises:
        EgressUnavailable: iptables is missing or refuses.
    """
    if not has_iptables():
        raise EgressUnavailable("iptables is not installed on this host")
    for rule in _rules(bridge, blocked):
        if (await _iptables("-C", *rule))[0] is None:
            continue
        problem, _ = await _iptables("-I", *rule)
        if problem is not None:
            raise EgressUnavailable(f"iptables refused a rule: {problem}")


async def open_up(bridge: str) -> None:
    """Take away every rule of a bridge, those of other settings too."""
    for chain, rule in await _rules_of_ours():
        if _interface(rule) == bridge:
            await _iptables("-D", chain, *rule)


async def filtered_bridges() -> set[str]:
    """Return the bridges of ours that have rules, whether they exist or not."""
    return {_interface(rule) for _, rule in await _rules_of_ours()}


def has_iptables() -> bool:
    """Whether this host has the command at all."""
    return shutil.which("iptables") is not None


def _rules(bridge: str, blocked: list[str]) -> list[Rule]:
    refuse = ("-j", "REJECT")
    return [
        *((FORWARD_CHAIN, "-i", bridge, "-d", to, *refuse) for to in blocked),
        # The host's own services (SSH, databases, this worker) are not the internet.
        ("INPUT", "-i", bridge, *refuse),
    ]


async def _rules_of_ours() -> list[tuple[str, list[str]]]:
    """Return chain and arguments of all rules that are about a bridge of ours."""
    found: list[tuple[str, list[str]]] = []
    if not has_iptables():
        return found
    for chain in CHAINS:
        # A chain that is not there has no rules.
        _, listed = await _iptables("-S", chain)
        for line in listed.splitlines():
            verb, *rule = shlex.split(line)
            # What the operator does with the bridge has another target.
            if verb == "-A" and "REJECT" in rule and BRIDGE.fullmatch(_interface(rule)):
                found.append((chain, rule[1:]))
    return found


def _interface(rule: list[str]) -> str:
    """Return which interface a rule is about, "" when it is about all."""
    return rule[rule.index("-i") + 1] if "-i" in rule[:-1] else ""


async def _iptables(*arguments: str) -> tuple[str | None, str]:
    """Run iptables; return its complaint, None on success, and what it printed."""
    process = await asyncio.create_subprocess_exec(
        "iptables",
        "-w",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await asyncio.wait_for(process.communicate(), COMMAND_SECONDS)
    except TimeoutError:
        # It may have ended at this very moment.
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        return f"it did not end within {COMMAND_SECONDS:g} s", ""
    if process.returncode == 0:
        return None, output.decode(errors="replace")
    complaint = errors.decode(errors="replace").strip()
    return complaint or f"code {process.returncode}", ""
