"""The egress network: out to the internet, but not to metadata, host or neighbours.

A bridge of our own with traffic between containers off. Rules of the host's iptables
refuse the blocked ranges before a packet leaves, and refuse everything that a sandbox
sends to the host itself. Where the rules cannot be set, egress is refused: a network
that silently is not filtered would be worse than none.
"""

import asyncio
import hashlib
import shutil
from typing import Literal

from docker.errors import NotFound

from contracts.errors import EgressUnavailable, SandboxFailed
from contracts.names import LABEL_INSTANCE, LABEL_ROLE
from engines.docker.calls import Calls

EgressPolicy = Literal["filtered", "unfiltered", "off"]

FORWARD_CHAIN = "DOCKER-USER"
COMMAND_SECONDS = 10.0


class EgressNetwork:
    """The network that scripts with `network: egress` are put on.

    Args:
        calls: Connection to the daemon.
        instance: Our instance's id; two instances have two networks.
        policy: `filtered` needs iptables, `unfiltered` leaves the rules to the
            operator's own firewall, `off` refuses egress.
        blocked: Address ranges in CIDR form that scripts may not reach.
    """

    def __init__(
        self, calls: Calls, instance: str, policy: EgressPolicy, blocked: list[str]
    ) -> None:
        self._calls = calls
        self._instance = instance
        self._policy = policy
        self._blocked = blocked
        digest = hashlib.sha256(instance.encode()).hexdigest()[:8]
        self.name = f"cronium-egress-{digest}"
        # Linux allows 15 characters in the name of an interface.
        self.bridge = f"crn-{digest}"
        self._ready = False
        self._lock = asyncio.Lock()

    async def ensure(self) -> None:
        """Make network and rules, once; cheap when they are there.

        Raises:
            EgressUnavailable: The operator switched egress off, or the rules cannot
                be set here.
        """
        if self._ready:
            return
        async with self._lock:
            if self._ready:
                return
            if self._policy == "off":
                raise EgressUnavailable(
                    "egress is switched off on this worker",
                    hint="Use `network: none`, or set CRONIUM_DOCKER_EGRESS=filtered.",
                )
            await self._ensure_network()
            if self._policy == "filtered":
                await self._ensure_rules()
            self._ready = True

    def forget(self) -> None:
        """Check everything again at the next use, as after a daemon restart."""
        self._ready = False

    async def remove(self) -> None:
        """Take rules and network away."""
        self._ready = False
        if self._policy == "filtered" and shutil.which("iptables"):
            for rule in self._rules():
                while await _iptables("-D", *rule) is None:
                    pass
        try:
            await self._calls.run(lambda client: client.remove_network(self.name))
        except NotFound:
            return

    async def _ensure_network(self) -> None:
        try:
            await self._calls.run(lambda client: client.inspect_network(self.name))
        except NotFound:
            await self._create()

    async def _create(self) -> None:
        try:
            await self._calls.run(
                lambda client: client.create_network(
                    self.name,
                    driver="bridge",
                    check_duplicate=True,
                    options={
                        "com.docker.network.bridge.name": self.bridge,
                        "com.docker.network.bridge.enable_icc": "false",
                    },
                    labels={LABEL_INSTANCE: self._instance, LABEL_ROLE: "network"},
                )
            )
        except SandboxFailed as error:
            # Another worker of this instance may have made it a moment ago.
            try:
                await self._calls.run(lambda client: client.inspect_network(self.name))
            except NotFound:
                raise EgressUnavailable(f"cannot make the network: {error}") from error

    async def _ensure_rules(self) -> None:
        if shutil.which("iptables") is None:
            raise EgressUnavailable("iptables is not installed on this host")
        for rule in self._rules():
            if await _iptables("-C", *rule) is None:
                continue
            problem = await _iptables("-I", *rule)
            if problem is not None:
                raise EgressUnavailable(f"iptables refused a rule: {problem}")

    def _rules(self) -> list[tuple[str, ...]]:
        refuse = ("-j", "REJECT")
        rules: list[tuple[str, ...]] = [
            (FORWARD_CHAIN, "-i", self.bridge, "-d", blocked, *refuse)
            for blocked in self._blocked
        ]
        # The host's own services (SSH, databases, this worker) are not the internet.
        rules.append(("INPUT", "-i", self.bridge, *refuse))
        return rules


async def _iptables(*arguments: str) -> str | None:
    """Run iptables; return None on success, else its complaint."""
    process = await asyncio.create_subprocess_exec(
        "iptables",
        "-w",
        *arguments,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, errors = await asyncio.wait_for(process.communicate(), COMMAND_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
        return f"it did not end within {COMMAND_SECONDS:g} s"
    if process.returncode == 0:
        return None
    return errors.decode(errors="replace").strip() or f"code {process.returncode}"
