"""From the names of secrets to keys that can log in.

Keys are opened once and kept, since opening an encrypted one is slow on purpose. What
is kept can be told apart by a fingerprint that gives nothing away.
"""

import asyncio
import base64
import binascii
import hashlib
import os
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import asyncssh

from contracts.errors import RequestRefused
from contracts.servers import Credentials, SecretText

KEPT = 1000
# Fingerprints are compared within this process only; the salt keeps them so.
SALT = os.urandom(16)


class Secrets(Protocol):
    """Where the values of named secrets come from."""

    def resolve(self, name: str) -> str:
        """Return a secret's value."""


@dataclass(frozen=True, slots=True)
class Login:
    """What one login offers."""

    fingerprint: str
    keys: Sequence[asyncssh.SSHKeyPair] = field(default=(), repr=False)
    password: str | None = field(default=None, repr=False)
    agent: bool = False


class Logins:
    """Makes logins from credentials.

    Args:
        secrets: Resolves names.
    """

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._kept: OrderedDict[str, Login] = OrderedDict()

    def text(self, secret: SecretText, field_name: str) -> str:
        """Return the value behind a reference.

        Raises:
            SecretUnavailable: The name is not known here.
            RequestRefused: It is not base64 although it should be.
        """
        value = (
            self._secrets.resolve(secret.secret)
            if secret.secret is not None
            else secret.value or ""
        )
        if not secret.base64:
            return value
        try:
            return base64.b64decode("".join(value.split()), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise RequestRefused(f"{field_name} is not base64 of a text") from None

    async def login(self, given: Credentials) -> Login:
        """Return what a login with these credentials offers.

        Raises:
            SecretUnavailable: A name is not known here.
            RequestRefused: The key cannot be opened.
        """
        # A secret may come over the network.
        texts = await asyncio.to_thread(self._texts, given)
        fingerprint = _fingerprint(texts, given.agent)
        login = self._kept.get(fingerprint)
        if login is None:
            keys = await asyncio.to_thread(_open_key, texts) if "key" in texts else []
            login = Login(fingerprint, keys, texts.get("password"), given.agent)
            self._kept[fingerprint] = login
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(fingerprint)
        return login

    def _texts(self, given: Credentials) -> dict[str, str]:
        return {
            name: self.text(value, f"credentials.{name}")
            for name in ("key", "passphrase", "certificate", "password")
            if (value := getattr(given, name)) is not None
        }


def _fingerprint(texts: dict[str, str], agent: bool) -> str:
    digest = hashlib.blake2b(key=SALT, digest_size=16)
    for name, text in sorted(texts.items()):
        for part in (name, text):
            data = part.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest() + ("+agent" if agent else "")


def _open_key(texts: dict[str, str]) -> Sequence[asyncssh.SSHKeyPair]:
    # A file that lost its last newline on the way into a variable is still a key.
    text = texts["key"].strip() + "\n"
    passphrase = texts.get("passphrase")
    try:
        key = asyncssh.import_private_key(text, passphrase)
    except asyncssh.KeyEncryptionError:
        raise RequestRefused(
            "credentials.passphrase does not open credentials.key"
        ) from None
    except (asyncssh.KeyImportError, ValueError) as error:
        if "assphrase" in str(error):
            raise RequestRefused(
                "credentials.key is encrypted, and the passphrase is missing",
                hint="Give `passphrase`, or a key without one.",
            ) from None
        raise RequestRefused(
            "credentials.key is not a private key in OpenSSH or PEM form",
            hint="Give the whole file, from BEGIN to END; base64 needs `base64: true`.",
        ) from None
    if "certificate" not in texts:
        return asyncssh.load_keypairs([key])
    try:
        certificate = asyncssh.import_certificate(texts["certificate"])
        return asyncssh.load_keypairs([(key, certificate)])
    except (asyncssh.KeyImportError, ValueError):
        raise RequestRefused(
            "credentials.certificate is not an OpenSSH certificate of that key"
        ) from None
