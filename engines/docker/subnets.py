"""Where the egress network's addresses come from: a small part of a pool of our own.

Docker's own pools have about thirty entries, and every Compose project on the host
takes one. So we name the subnet ourselves, out of ranges that the operator sets, and
take none that a Docker network, a route or an address of the host has already.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

# Network, broadcast and gateway address, and a few that removed sandboxes still hold.
RESERVED_ADDRESSES = 3 + 8
SMALLEST_ADDRESSES = 64
# A wider route is a way out, not a place: VPNs split the default route in two.
WIDEST_PLACE = 8
ROUTES = Path("/proc/net/fib_trie")


def prefix_for(slots: int) -> int:
    """Return the prefix length of a network in which a worker's sandboxes have room.

    After a restart a host may hold twice its slots: what it took over, and new runs.
    Never smaller than /26 (61 sandboxes), so that slots may be raised under a network
    that is in use; a pool of /16 has 1024 of these.
    """
    wanted = max(2 * slots + RESERVED_ADDRESSES, SMALLEST_ADDRESSES)
    return 32 - (wanted - 1).bit_length()


def free_subnet(
    pools: Iterable[IPv4Network],
    prefix: int,
    taken: Sequence[IPv4Network],
    start: int = 0,
) -> IPv4Network | None:
    """Return the first subnet of the pools that overlaps nothing, or None.

    Args:
        pools: Where to look, in this order.
        prefix: Length of the subnet's prefix.
        taken: What it must not overlap.
        start: Where in a pool to begin; the search goes around to its end. With one of
            its own each instance mostly gets the same subnet again.
    """
    for pool in pools:
        near = [
            (int(net.network_address), int(net.broadcast_address))
            for net in taken
            if net.overlaps(pool)
        ]
        for first in _places(pool, prefix, start):
            last = first + (1 << (32 - prefix)) - 1
            if all(last < low or high < first for low, high in near):
                return IPv4Network((first, prefix))
    return None


def _places(pool: IPv4Network, prefix: int, start: int) -> Iterator[int]:
    if pool.prefixlen > prefix:
        return
    count, step = 1 << (prefix - pool.prefixlen), 1 << (32 - prefix)
    for number in range(count):
        yield int(pool.network_address) + (start + number) % count * step


def docker_subnets(networks: Iterable[Mapping[str, Any]]) -> list[IPv4Network]:
    """Return the IPv4 subnets of Docker's networks, as its list of them has them."""
    configs = (
        config
        for network in networks
        for config in (network.get("IPAM") or {}).get("Config") or []
    )
    subnets = (ipaddress.ip_network(c["Subnet"], strict=False) for c in configs)
    return [net for net in subnets if isinstance(net, IPv4Network)]


def routed(table: Path = ROUTES) -> list[IPv4Network]:
    """Return what this host has addresses in or special routes to, from every table.

    VPNs often keep theirs in a table of their own, which `/proc/net/route` leaves out.
    Nothing is known where the kernel does not say.
    """
    try:
        lines = table.read_text().splitlines()
    except OSError:
        return []
    found, address = set(), ""
    for words in (line.split() for line in lines):
        if words[:1] == ["|--"]:
            address = words[1]
        elif words and words[0].startswith("/"):
            found.add(IPv4Network(f"{address}{words[0]}", strict=False))
    return [net for net in found if net.prefixlen >= WIDEST_PLACE]
