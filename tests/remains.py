"""What instances leave on the Docker host, and its removal."""

import re
import subprocess

import docker

from contracts.names import LABEL_INSTANCE

DOCKER_SOCKET = "/var/run/docker.sock"
BRIDGE_OPTION = "com.docker.network.bridge.name"


def remove_remains(prefix: str, socket: str = DOCKER_SOCKET) -> list[str]:
    """Remove containers, networks and rules of all instances whose id begins so.

    Returns:
        The names of what was there; none where no daemon is.
    """
    try:
        client = docker.APIClient(base_url=f"unix://{socket}", version="auto")
    except docker.errors.DockerException:
        return []
    try:
        return _remove(client, prefix)
    finally:
        client.close()


def _remove(client: docker.APIClient, prefix: str) -> list[str]:
    removed: list[str] = []
    ours = {"label": LABEL_INSTANCE}
    for found in client.containers(all=True, filters=ours):
        if found["Labels"][LABEL_INSTANCE].startswith(prefix):
            _unless_gone(client.remove_container, found["Id"], force=True, v=True)
            removed += found["Names"][:1]
    for found in client.networks(filters=ours):
        if found["Labels"][LABEL_INSTANCE].startswith(prefix):
            _unless_gone(client.remove_network, found["Id"])
            removed.append(found["Name"])
            remove_rules((found["Options"] or {}).get(BRIDGE_OPTION, ""))
    return removed


def _unless_gone(remove: object, identity: str, **options: bool) -> None:
    try:
        remove(identity, **options)  # type: ignore[operator]
    except docker.errors.NotFound:
        # A worker that ends removes its own at the same time.
        return


def remove_rules(bridge: str) -> None:
    """Remove the host's rules that are about a bridge of ours."""
    if not re.fullmatch("crn-[0-9a-f]{8}", bridge):
        return
    for rule in rules_of(bridge):
        change_rules("-D", *rule.split()[1:])


def rules_of(bridge: str) -> list[str]:
    """Return the rules about a bridge that are not Docker's own."""
    listed = "".join(change_rules("-S", chain) for chain in ("DOCKER-USER", "INPUT"))
    return [line for line in listed.splitlines() if f" {bridge} " in line]


def change_rules(*arguments: str) -> str:
    """Run iptables and return what it prints; nothing when it refuses."""
    return subprocess.run(
        ["iptables", "-w", *arguments], check=False, capture_output=True, text=True
    ).stdout
