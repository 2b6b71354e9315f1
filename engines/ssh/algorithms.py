"""Which algorithms a connection may use: modern ones, and old ones that were named.

The library's own defaults still hold SHA-1 for servers of long ago; here such an
algorithm is used only where a server's `algorithms` names it.
"""

from dataclasses import dataclass

from asyncssh.encryption import get_encryption_algs
from asyncssh.kex import get_kex_algs
from asyncssh.mac import get_mac_algs
from asyncssh.public_key import get_certificate_algs, get_public_key_algs

from contracts.server_errors import SshProtocolError
from contracts.servers import Algorithms

KEX = (
    "mlkem768x25519-sha256",
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group18-sha512",
    "diffie-hellman-group14-sha256",
    "diffie-hellman-group-exchange-sha256",
)
CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes192-ctr",
    "aes128-ctr",
)
MACS = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "umac-128-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
    "umac-128@openssh.com",
)
ED25519 = ("ssh-ed25519", "sk-ssh-ed25519@openssh.com")
ECDSA = ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
RSA = ("rsa-sha2-512", "rsa-sha2-256")
FAMILIES = (ED25519, ECDSA, RSA)
CERTIFICATES = (
    "ssh-ed25519-cert-v01@openssh.com",
    "ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "ecdsa-sha2-nistp384-cert-v01@openssh.com",
    "ecdsa-sha2-nistp521-cert-v01@openssh.com",
    "rsa-sha2-512-cert-v01@openssh.com",
    "rsa-sha2-256-cert-v01@openssh.com",
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What one server's connections may use, best first."""

    kex: tuple[str, ...]
    ciphers: tuple[str, ...]
    macs: tuple[str, ...]
    host_keys: tuple[tuple[str, ...], ...]
    """By family: keys of one family are asked for together."""


def choose(named: Algorithms) -> Chosen:
    """Return the modern algorithms and those that the server's owner names.

    Raises:
        SshProtocolError: A named algorithm does not exist here.
    """
    host_keys = get_public_key_algs() + get_certificate_algs()
    old = _known("hostKeys", named.host_keys, host_keys)
    return Chosen(
        kex=_present(KEX, get_kex_algs()) + _known("kex", named.kex, get_kex_algs()),
        ciphers=CIPHERS + _known("ciphers", named.ciphers, get_encryption_algs()),
        macs=MACS + _known("macs", named.macs, get_mac_algs()),
        host_keys=(*FAMILIES, old) if old else FAMILIES,
    )


def _present(names: tuple[str, ...], available: list[bytes]) -> tuple[str, ...]:
    # Which post-quantum exchanges there are depends on the crypto library.
    return tuple(name for name in names if name.encode() in available)


def _known(field: str, names: list[str], available: list[bytes]) -> tuple[str, ...]:
    for name in names:
        if name.encode() not in available:
            raise SshProtocolError(
                f"algorithms.{field}: {name} is not known to this worker",
                hint="Correct the name; `ssh -Q` lists the usual ones.",
            )
    return tuple(names)
