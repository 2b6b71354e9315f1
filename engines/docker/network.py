"""The egress network: out to the internet, but not to metadata, host or neighbours.

A bridge of our own with traffic between containers off, and rules of the host that are
there before the network is and go after it: where it exists, it is filtered.
"""

import asyncio
import contextlib
import hashlib
import logging
import re
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Literal

from docker.errors import NotFound
from docker.types import IPAMConfig, IPAMPool

from contracts.errors import EgressUnavailable, SandboxFailed
from contracts.names import LABEL_INSTANCE, LABEL_OWNER, LABEL_ROLE
from engines.docker import firewall
from engines.docker.calls import Calls, reason
from engines.docker.ownership import Owner, our_turn, proven_dead
from engines.docker.subnets import docker_subnets, free_subnet, prefix_for, routed

logger = logging.getLogger(__name__)

EgressPolicy = Literal["filtered", "unfiltered", "off"]

NETWORK_ROLE = "network"
NAME = re.compile("cronium-egress-[0-9a-f]{8}")
BRIDGE_OPTION = "com.docker.network.bridge.name"
# So often a subnet may be taken by somebody else between our look and our call.
TRIES = 20
INTERFACES = Path("/sys/class/net")


class EgressNetwork:
    """The network that scripts with `network: egress` are put on.

    Args:
        calls: Connection to the daemon.
        instance: Our instance's id; two instances have two networks.
        policy: `filtered` needs iptables, `unfiltered` leaves the rules to the
            operator's own firewall, `off` refuses egress.
        blocked: Address ranges in CIDR form that scripts may not reach.
        pools: Address ranges in CIDR form that the network's own is taken from.
        slots: How many sandboxes it must have room for, twice.
        owner_file: What others can tell by whether we live, see `ownership`.
    """

    def __init__(
        self,
        calls: Calls,
        instance: str,
        policy: EgressPolicy,
        blocked: list[str],
        pools: list[str],
        slots: int,
        owner_file: Path | None,
    ) -> None:
        self._calls = calls
        self._instance = instance
        self._policy = policy
        self._blocked = blocked
        self._pools = [IPv4Network(pool) for pool in pools]
        self._prefix = prefix_for(slots)
        self._owner = Owner(owner_file)
        digest = hashlib.sha256(instance.encode()).hexdigest()[:8]
        self._start = int(digest, 16)
        self.name = f"cronium-egress-{digest}"
        self.bridge = f"crn-{digest}"
        self._ready = False
        self._lock = asyncio.Lock()

    async def ensure(self) -> None:
        """Make network and rules, once; cheap when they are there.

        Raises:
            EgressUnavailable: The operator switched egress off, no address range is
                free, or the rules cannot be set here.
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
            await self._owner.hold()
            async with our_turn():
                if self._policy == "filtered":
                    await firewall.close_off(self.bridge, self._blocked)
                if not await self._exists():
                    await self._create()
            self._ready = True

    def body(self, subnet: IPv4Network) -> dict[str, Any]:
        """Return the body of the call that makes the network, but its owner's labels.

        The guard of the Docker socket compares with it what a worker sends.
        """
        return {
            "Name": self.name,
            "Driver": "bridge",
            "CheckDuplicate": True,
            "IPAM": IPAMConfig(pool_configs=[IPAMPool(subnet=str(subnet))]),
            "Options": {
                BRIDGE_OPTION: self.bridge,
                "com.docker.network.bridge.enable_icc": "false",
            },
            "Labels": {LABEL_INSTANCE: self._instance, LABEL_ROLE: NETWORK_ROLE},
        }

    def forget(self) -> None:
        """Check everything again at the next use, as after a daemon restart."""
        self._ready = False

    async def restore(self) -> None:
        """Make anew what somebody removed under us.

        Raises:
            EgressUnavailable: As `ensure` does.
        """
        logger.warning("the network %s was removed by somebody else", self.name)
        self.forget()
        await self.ensure()

    async def remove(self) -> None:
        """Take network and rules away, whoever uses them.

        Raises:
            SandboxFailed: A running sandbox is on it.
        """
        self.close()
        async with our_turn():
            await self._take_away(self.name, self.bridge)

    async def retire(self) -> None:
        """Take network and rules away at the end of a worker, if no sandbox is left.

        Whoever comes next makes them again at the first use.
        """
        self.close()
        async with our_turn():
            found = await self._inspect()
            if found is None:
                # It was pruned, or no address range was free for it.
                await firewall.open_up(self.bridge)
                return
            labels = found["Labels"] or {}
            if labels.get(LABEL_INSTANCE) != self._instance:
                return
            ours = labels.get(LABEL_OWNER) in (None, str(self._owner.file))
            proof = self._owner.alone() if ours else proven_dead(labels)
            with proof as free:
                if free and await self._is_unused(self.name):
                    await self._take_away(self.name, self.bridge)

    async def sweep(self) -> list[str]:
        """Remove what dead instances left: networks without a sandbox, and rules.

        Returns:
            The names of the networks that were removed.
        """
        filters = {"label": [f"{LABEL_ROLE}={NETWORK_ROLE}", LABEL_OWNER]}
        found = await self._calls.run(lambda client: client.networks(filters=filters))
        removed = []
        for entry in found:
            name = str(entry["Name"])
            bridge = str((entry["Options"] or {}).get(BRIDGE_OPTION))
            # What only looks like one of ours is somebody else's.
            known = NAME.fullmatch(name) and firewall.BRIDGE.fullmatch(bridge)
            if known and name != self.name:
                async with our_turn():
                    if await self._remove_dead(name, bridge, entry["Labels"]):
                        removed.append(name)
        await self._sweep_rules()
        return removed

    def close(self) -> None:
        """Let others see that we do not use the network any more."""
        self._ready = False
        self._owner.release()

    async def _remove_dead(
        self, name: str, bridge: str, labels: dict[str, str]
    ) -> bool:
        with proven_dead(labels) as dead:
            if not dead or not await self._is_unused(name):
                return False
            try:
                await self._take_away(name, bridge)
            except SandboxFailed as error:
                logger.warning("the left-over network %s stays: %s", name, error)
                return False
            return True

    async def _sweep_rules(self) -> None:
        """Take away rules whose bridge is gone: nothing can pass them."""
        if not await self._stray_bridges():
            return
        async with our_turn():
            for bridge in await self._stray_bridges():
                await firewall.open_up(bridge)

    async def _stray_bridges(self) -> set[str]:
        bridges = await firewall.filtered_bridges() - {self.bridge}
        bridges = {name for name in bridges if not (INTERFACES / name).exists()}
        if not bridges:
            return bridges
        # Docker makes the bridge of a network again when it is started.
        known = await self._calls.run(lambda client: client.networks())
        return bridges - {(n["Options"] or {}).get(BRIDGE_OPTION) for n in known}

    async def _is_unused(self, name: str) -> bool:
        """Whether no container, stopped or not yet started, is on a network."""
        # By name: one that was never started does not know the network's id yet.
        found = await self._calls.run(
            lambda client: client.containers(all=True, filters={"network": name})
        )
        return not found

    async def _take_away(self, name: str, bridge: str) -> None:
        with contextlib.suppress(NotFound):
            await self._calls.run(lambda client: client.remove_network(name))
        await firewall.open_up(bridge)

    async def _inspect(self) -> dict[str, Any] | None:
        try:
            return await self._calls.run(
                lambda client: client.inspect_network(self.name)
            )
        except NotFound:
            return None

    async def _exists(self) -> bool:
        found = await self._inspect()
        if found is None:
            return False
        if (found["Labels"] or {}).get(LABEL_INSTANCE) != self._instance:
            raise EgressUnavailable(
                f"the network {self.name} is not this instance's",
                hint="Remove it, or give this worker another CRONIUM_INSTANCE.",
            )
        return True

    async def _create(self) -> None:
        refused: list[IPv4Network] = []
        while len(refused) < TRIES:
            subnet = await self._free_subnet(refused)
            try:
                await self._create_call(subnet)
                return
            except (SandboxFailed, NotFound) as error:
                # Another worker of this instance may have made it a moment ago.
                if await self._exists():
                    return
                if "overlap" not in str(error).lower():
                    said = reason(error) if isinstance(error, NotFound) else error
                    raise EgressUnavailable(
                        f"Docker made no network {self.name}: {said}",
                        hint="Look at Docker's log (`journalctl -u docker`).",
                    ) from error
                refused.append(subnet)
        raise EgressUnavailable(
            f"Docker said of {TRIES} free subnets that they overlap another network",
            hint="Set CRONIUM_DOCKER_EGRESS_POOL to a range that nobody else uses.",
        )

    async def _free_subnet(self, refused: list[IPv4Network]) -> IPv4Network:
        networks = await self._calls.run(lambda client: client.networks())
        taken = [*docker_subnets(networks), *routed(), *refused]
        found = free_subnet(self._pools, self._prefix, taken, self._start)
        if found is None:
            pools = ", ".join(map(str, self._pools))
            raise EgressUnavailable(
                f"no /{self._prefix} for the egress network is free in {pools}: Docker "
                "networks and routes of the host take all of it",
                hint="Set CRONIUM_DOCKER_EGRESS_POOL to a private range that is not in "
                "use, or remove unused networks (`docker network prune`).",
            )
        return found

    async def _create_call(self, subnet: IPv4Network) -> None:
        body = self.body(subnet)
        await self._calls.run(
            lambda client: client.create_network(
                body["Name"],
                driver=body["Driver"],
                check_duplicate=body["CheckDuplicate"],
                ipam=body["IPAM"],
                options=body["Options"],
                labels={**body["Labels"], **self._owner.labels()},
            )
        )
