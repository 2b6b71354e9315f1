"""The operator's choices for SSH."""

from dataclasses import dataclass
from pathlib import Path

from contracts.limits import MIB

BOOT_ID = "/proc/sys/kernel/random/boot_id"


@dataclass(frozen=True, slots=True)
class SshConfig:
    """How servers are reached and what may run on them. Times in seconds."""

    known_hosts: Path | None = None
    """In OpenSSH's format; hashed names, @cert-authority and @revoked count."""
    trust_on_first_use: bool = False
    """Whether an unknown server's key is believed, and added to `known_hosts`."""
    agent_socket: Path | None = None
    """The SSH agent that servers may name in their credentials; None: no agent."""
    instance: str = "default"
    """Runs of other instances on a shared server are left alone. One line of text."""

    keepalive_interval: float = 15.0
    keepalive_count: int = 3
    idle_close: float = 300.0
    """After this long without use a connection is closed."""
    handshakes: int = 6
    """Logins under way at once per endpoint. sshd's MaxStartups (10:30:100) begins to
    refuse at 10, and a busy sshd counts a login a while after it succeeded."""
    handshake_tries: int = 6
    channels: int = 10
    """Scripts per connection: OpenSSH's MaxSessions, unless a server allows fewer."""

    breaker_failures: int = 5
    breaker_seconds: float = 60.0
    breaker_probes: int = 3
    breaker_successes: int = 2

    outage_window: float = 900.0
    """How long a server that went away while a script ran on it is waited for."""
    retry_seconds: float = 5.0
    """Longest wait between two tries to get back to a running script."""
    output_bytes: int = 256 * MIB
    """A script that writes more to the server's disk is stopped."""
    boot_id: str = BOOT_ID
    """The file on servers that changes with every boot."""
