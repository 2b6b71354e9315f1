"""Which part of the pool the egress network takes."""

import os
import subprocess
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from engines.docker.subnets import docker_subnets, free_subnet, prefix_for, routed

POOL = IPv4Network("10.213.0.0/24")
TABLE = """Main:
  +-- 0.0.0.0/0 3 0 4
     |-- 0.0.0.0
        /0 universe UNICAST
        /1 universe UNICAST
     |-- 10.8.0.0
        /24 link UNICAST
        /32 link BROADCAST
Id 52:
     |-- 100.64.0.0
        /10 universe UNICAST
"""


@pytest.mark.parametrize(
    ("slots", "prefix"), [(1, 26), (10, 26), (26, 26), (27, 25), (100, 24), (1000, 21)]
)
def test_a_network_has_room_for_twice_the_slots(slots: int, prefix: int) -> None:
    assert prefix_for(slots) == prefix
    # Without network, broadcast and gateway address.
    assert 2 ** (32 - prefix) - 3 >= 2 * slots


@pytest.mark.parametrize(
    ("taken", "start", "found"),
    [
        ([], 0, "10.213.0.0/26"),
        ([], 3, "10.213.0.192/26"),
        ([], 6, "10.213.0.128/26"),
        (["10.213.0.5/32"], 0, "10.213.0.64/26"),
        (["10.213.0.192/27"], 3, "10.213.0.0/26"),
        (["10.213.0.0/25", "192.168.0.0/16"], 0, "10.213.0.128/26"),
        (["10.213.0.0/25", "10.213.0.128/28", "10.213.0.255/32"], 0, None),
        (["10.0.0.0/8"], 0, None),
    ],
)
def test_the_first_subnet_that_overlaps_nothing_is_taken(
    taken: list[str], start: int, found: str | None
) -> None:
    there = [IPv4Network(text) for text in taken]
    subnet = free_subnet([POOL], 26, there, start)
    assert subnet == (IPv4Network(found) if found else None)


def test_the_next_pool_is_used_when_the_first_is_full_or_too_small() -> None:
    pools = [IPv4Network("10.1.0.0/27"), POOL, IPv4Network("192.168.4.0/24")]
    assert free_subnet(pools, 26, [POOL]) == IPv4Network("192.168.4.0/26")
    assert free_subnet(pools[:1], 26, []) is None


def test_networks_of_docker_without_subnets_and_with_ipv6_take_nothing() -> None:
    networks = [
        {"IPAM": None},
        {"IPAM": {"Config": None}},
        {"IPAM": {"Config": [{"Subnet": "fd00::/64"}, {"Subnet": "10.1.2.3/16"}]}},
    ]
    assert docker_subnets(networks) == [IPv4Network("10.1.0.0/16")]


def test_routes_of_every_table_count_and_ways_out_do_not(tmp_path: Path) -> None:
    table = tmp_path / "fib_trie"
    table.write_text(TABLE)
    assert {str(net) for net in routed(table)} == {
        "10.8.0.0/24",
        "10.8.0.0/32",
        "100.64.0.0/10",
    }
    assert routed(tmp_path / "none") == []


def test_the_kernel_s_own_table_is_understood() -> None:
    assert IPv4Network("127.0.0.0/8") in routed()
    listed = subprocess.run(
        ["ip", "-4", "-o", "addr", "show"], capture_output=True, text=True, check=True
    ).stdout
    addresses = [line.split()[3] for line in listed.splitlines()]
    assert os.path.exists("/proc/net/fib_trie")
    for address in addresses:
        assert IPv4Network(address.split("/")[0] + "/32") in routed()
