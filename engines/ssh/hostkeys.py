"""Whether the key that a server shows is its own.

A server's pins alone decide when it has any; else the operator's known_hosts. A key
that nobody vouched for is refused, unless the operator trusts on first use; a changed
one always is. All this happens within the key exchange, before any login is sent.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import asyncssh

from contracts.errors import RequestRefused
from contracts.server_errors import SshHostKeyChanged, SshHostKeyUnknown, SshRefused
from contracts.servers import Endpoint
from engines.ssh.algorithms import CERTIFICATES, Chosen

SSH_PORT = 22
FILE_MODE = 0o600

Keys = Sequence[asyncssh.SSHKey]


class KnownHosts:
    """The operator's known_hosts file, read again when it changed.

    Args:
        path: The file; None: nobody is known.
        learn: Whether unknown keys are believed and added.
    """

    def __init__(self, path: Path | None, *, learn: bool = False) -> None:
        self._path = path
        self.learns = learn and path is not None
        self._stamp: tuple[int, int] | None = None
        self._hosts = asyncssh.import_known_hosts("")

    def match(self, address: str, port: int) -> tuple[Keys, Keys, Keys]:
        """Return trusted keys, trusted authorities and revoked keys.

        Raises:
            RequestRefused: The file cannot be read or is not of that format.
        """
        self._refresh()
        found = self._hosts.match(address, "", port if port != SSH_PORT else None)
        return found[0], found[1], found[2]

    def learn(self, address: str, port: int, key: asyncssh.SSHKey) -> None:
        """Add a key; whoever changes the file later decides again."""
        assert self._path is not None
        name = address if port == SSH_PORT else f"[{address}]:{port}"
        line = f"{name} {key.export_public_key().decode().strip()}\n"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        descriptor = os.open(self._path, flags, FILE_MODE)
        with os.fdopen(descriptor, "w") as file:
            file.write(line)

    def _refresh(self) -> None:
        if self._path is None:
            return
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                self._hosts = asyncssh.read_known_hosts(str(self._path))
                self._stamp = stamp
        except FileNotFoundError:
            self._hosts, self._stamp = asyncssh.import_known_hosts(""), None
        except (OSError, ValueError) as error:
            raise RequestRefused(
                f"the known_hosts file {self._path} cannot be used: "
                f"{type(error).__name__}",
                hint="Check its permissions and format with `ssh-keygen -l -f`.",
            ) from None


class Verifier:
    """Judges the key of one endpoint.

    Args:
        endpoint: Whose key.
        known: The operator's file.
    """

    def __init__(self, endpoint: Endpoint, known: KnownHosts) -> None:
        self._endpoint = endpoint
        self._known = known
        self.fingerprints = {
            pin.rstrip("=") for pin in endpoint.host_keys if pin.startswith("SHA256:")
        }
        pins = [_import(pin) for pin in endpoint.host_keys if " " in pin]
        if endpoint.host_keys:
            self.lists: tuple[Keys, Keys, Keys] = (pins, [], [])
        else:
            self.lists = known.match(endpoint.address, endpoint.port)
        self.refusal: SshRefused | None = None
        """Why the key was not accepted, once it was not."""

    @property
    def expects(self) -> bool:
        """Whether somebody has said what the key must be."""
        return bool(self.lists[0] or self.lists[1] or self.fingerprints)

    def offers(self, chosen: Chosen) -> list[tuple[str, ...]]:
        """Return the algorithms to ask for, one tuple per connection to try.

        A server has keys of several kinds and shows the first that is asked for. With
        known keys their kinds are asked for, and then any kind, to see what it shows
        instead; a fingerprint does not tell its kind, so all are tried in turn.
        """
        trusted, authorities, _ = self.lists
        families = chosen.host_keys
        every = tuple(name for family in families for name in family)
        if self.fingerprints:
            return list(families)
        if authorities:
            return [CERTIFICATES + every]
        kinds = {name for key in trusted for name in _signatures(key)}
        known = tuple(name for name in every if name in kinds)
        return [known, every] if known and known != every else [every]

    def accepts(self, key: asyncssh.SSHKey) -> bool:
        """Whether a key that is not among the trusted ones is accepted all the same."""
        shown = key.get_fingerprint()
        if shown.rstrip("=") in self.fingerprints:
            return True
        place = f"{self._endpoint.address}:{self._endpoint.port}"
        kind = key.get_algorithm()
        if self.expects:
            self.refusal = SshHostKeyChanged(
                f"{place} shows the {kind} key {shown}, which is not the known one"
            )
        elif self._known.learns:
            self._known.learn(self._endpoint.address, self._endpoint.port, key)
            return True
        else:
            self.refusal = SshHostKeyUnknown(
                f"nobody has vouched for the {kind} key {shown} of {place}"
            )
        return False

    def unverifiable(self, reason: str) -> SshRefused:
        """Return the error for a key that the library turned down by itself."""
        if self.refusal is not None:
            return self.refusal
        place = f"{self._endpoint.address}:{self._endpoint.port}"
        kind = SshHostKeyChanged if self.expects else SshHostKeyUnknown
        return kind(f"the key of {place} was refused: {reason}")


def _signatures(key: asyncssh.SSHKey) -> list[str]:
    return [name.decode() for name in key.sig_algorithms]


def _import(pin: str) -> asyncssh.SSHKey:
    try:
        return asyncssh.import_public_key(pin)
    except asyncssh.KeyImportError:
        raise RequestRefused(
            "hostKeys: a pinned key is not a public key",
            hint="Copy it whole from /etc/ssh/ssh_host_ed25519_key.pub of the server.",
        ) from None
