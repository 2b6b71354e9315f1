"""Which addresses a request may be sent to: the guard against requests to ourselves.

An event's author chooses the URL, the worker's network position makes the request. So
whatever a name turns out to be, only addresses of the public internet are connected to,
unless the operator allows others.
"""

import ipaddress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Literal

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Cloud metadata that is not link-local: AWS over IPv6, Alibaba, Oracle.
METADATA = frozenset(
    map(ipaddress.ip_address, ("fd00:ec2::254", "100.100.100.200", "192.0.0.192"))
)
# `private_addresses: allow` opens these; all else needs an entry of its own.
PRIVATE = tuple(
    map(
        ipaddress.ip_network,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"),
    )
)
# Forms of IPv6 that carry an IPv4 address to a place which we cannot see.
TUNNELS = tuple(
    map(
        ipaddress.IPv6Network,
        ("::/96", "2002::/16", "2001::/32", "64:ff9b:1::/48", "fec0::/10"),
    )
)


@dataclass(frozen=True)
class AddressPolicy:
    """What the operator allows.

    Args:
        private: Whether loopback and private addresses may be reached at all.
        allowed: Exceptions: address ranges, names, and names with `*`.
    """

    private: Literal["refuse", "allow"] = "refuse"
    allowed: tuple[str, ...] = ()

    def refusal(self, host: str, address: str) -> str | None:
        """Return why an address of a host may not be connected to, or None.

        Args:
            host: The host of the URL.
            address: One of the addresses that its name was resolved to.
        """
        found = ipaddress.ip_address(address.partition("%")[0])
        kind = kind_of(found)
        if kind is None or self._is_excepted(host, found):
            return None
        if self.private == "allow" and kind in ("private", "loopback"):
            return None
        return kind

    @cached_property
    def _networks(self) -> list[Network]:
        return [network for entry in self.allowed if (network := network_of(entry))]

    def _is_excepted(self, host: str, address: Address) -> bool:
        plain = _inner(address)
        if any(plain in network or address in network for network in self._networks):
            return True
        name = host.lower().rstrip(".")
        return any(
            fnmatchcase(name, entry.lower().rstrip("."))
            for entry in self.allowed
            if network_of(entry) is None
        )


def network_of(entry: str) -> Network | None:
    """Return an entry of the allow-list as an address range, or None for a name."""
    try:
        return ipaddress.ip_network(entry)
    except ValueError:
        return None


def kind_of(address: Address) -> str | None:
    """Return what kind of non-public address this is, or None for a public one."""
    address = _inner(address)
    if address in METADATA:
        return "metadata"
    if address.is_unspecified:
        return "unspecified"
    if address.is_loopback:
        return "loopback"
    if address.is_link_local:
        return "link-local"
    if address.is_multicast:
        return "multicast"
    if any(address in network for network in PRIVATE):
        return "private"
    if any(address in network for network in TUNNELS):
        return "tunnelled"
    if address.is_reserved or not address.is_global:
        return "reserved"
    return None


def _inner(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, else itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address
