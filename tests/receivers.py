"""A real SMTP server on loopback that keeps what it is given."""

import asyncio
import contextlib
import email
import email.policy
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class Mailbox:
    """What a server has taken, and whom it refuses."""

    port: int = 0
    refused: set[str] = field(default_factory=set)
    refusal: str = "550 no such user"
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str,
        options: Any,
    ) -> str:  # fmt: skip
        if address in self.refused:
            return self.refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        parsed = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        self.mails.append(parsed)
        self.recipients.append(list(envelope.rcpt_tos))
        return "250 OK"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str,
        data: Any,
    ) -> AuthResult:  # fmt: skip
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"right", handled=False)


@contextlib.asynccontextmanager
async def mail_server(
    tls: ssl.SSLContext | None = None, *, starttls: bool = False, **options: Any
) -> AsyncIterator[Mailbox]:
    """Take mail until the end of the block.

    Args:
        tls: Certificate; connections begin with TLS, or may turn to it.
        starttls: Whether they begin in clear text.
        options: Of the mailbox.
    """

    box = Mailbox(**options)

    def session() -> SMTP:
        return SMTP(
            box,
            hostname="localhost",
            tls_context=tls if starttls else None,
            authenticator=box.authenticate,
            auth_require_tls=False,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        session, "127.0.0.1", 0, ssl=None if starttls else tls
    )
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
