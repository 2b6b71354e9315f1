"""Mail over SMTP: one message to all its recipients.

    smtps://user:password@host:465?from=Cronium <cronium@example.org>

`smtp://` begins in clear text and turns to TLS when the server offers it; a password is
only sent over TLS. User, password and sender are percent-encoded where they must be.
"""

import asyncio
import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid, parseaddr
from functools import partial
from urllib.parse import parse_qs, unquote, urlsplit

from contracts.errors import (
    DeliveryFailed,
    DeliveryRefused,
    RequestRefused,
    TargetInvalid,
)

SMTP_SECONDS = 15.0
MAX_RECIPIENTS = 50
PORTS = {"smtp": 587, "smtps": 465}


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail. Addresses as `ada@example.org` or `Ada <ada@example.org>`."""

    to: list[str]
    subject: str
    text: str
    html: str | None = None
    """Shown instead of the text where HTML is shown."""
    cc: list[str] | None = None
    bcc: list[str] | None = None
    reply_to: list[str] | None = None


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in."""

    host: str
    port: int
    tls: bool
    """Whether the connection begins with TLS."""
    user: str
    password: str
    sender: str


def server_of(url: str) -> MailServer:
    """Return the server of a URL as above.

    Raises:
        TargetInvalid: It is none; the message has nothing of it.
    """
    try:
        parts = urlsplit(url.strip())
        port, host = parts.port, parts.hostname
    except ValueError:
        port, host = None, None
    sender = parse_qs(parts.query).get("from", [""])[-1] if host else ""
    if not host or parts.scheme not in PORTS or "@" not in parseaddr(sender)[1]:
        raise TargetInvalid(
            "the mail server's URL cannot be used",
            hint="Write smtps://user:password@host:465?from=cronium@example.org",
        )
    return MailServer(
        host=host,
        port=port or PORTS[parts.scheme],
        tls=parts.scheme == "smtps",
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        sender=sender,
    )


async def send(server: MailServer, mail: Mail) -> list[str]:
    """Hand a mail in; return the recipients that the server did not take.

    Raises:
        RequestRefused: An address or the subject cannot be in a mail.
        DeliveryFailed: The server may take it later.
        DeliveryRefused: The server does not want it.
    """
    message, recipients = _message(server, mail)
    try:
        return await asyncio.to_thread(_hand_in, server, message, recipients)
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        raise _refusal(min(codes), "takes none of the recipients") from None
    except smtplib.SMTPAuthenticationError as error:
        raise _refusal(error.smtp_code, "does not accept user and password") from None
    except smtplib.SMTPResponseException as error:
        raise _refusal(error.smtp_code, "does not take the mail") from None
    except ssl.SSLCertVerificationError as error:
        raise DeliveryFailed(
            f"the mail server's certificate is not trusted ({error.verify_message})"
        ) from None
    except (smtplib.SMTPException, OSError) as error:
        raise DeliveryFailed(
            f"the mail server does not answer ({type(error).__name__})"
        ) from None


def _message(server: MailServer, mail: Mail) -> tuple[EmailMessage, list[str]]:
    message = EmailMessage(policy=SMTP)
    recipients: list[str] = []
    fields = {
        "to": mail.to, "cc": mail.cc, "bcc": mail.bcc, "replyTo": mail.reply_to,
    }  # fmt: skip
    try:
        message["From"] = server.sender
        for field, values in fields.items():
            found = _addresses(field, values or [])
            if field != "replyTo":
                recipients += found
            if values and field != "bcc":
                name = "Reply-To" if field == "replyTo" else field.capitalize()
                message[name] = ", ".join(values)
        message["Subject"] = mail.subject
    except ValueError:
        raise RequestRefused(
            "subject or an address cannot be in a mail: it has a line break or a "
            "control code"
        ) from None
    if not mail.to or len(recipients) > MAX_RECIPIENTS:
        raise RequestRefused(
            f"to: expected 1 to {MAX_RECIPIENTS} recipients, cc and bcc included"
        )
    message["Date"] = formatdate(localtime=False)
    message["Message-ID"] = make_msgid(domain=_domain(server.sender))
    message.set_content(mail.text)
    if mail.html is not None:
        message.add_alternative(mail.html, subtype="html")
    return message, list(dict.fromkeys(recipients))


def _addresses(field: str, values: list[str]) -> list[str]:
    text = ", ".join(values)
    # The parser that writes the header reads the envelope's addresses as well.
    header = SMTP.header_factory("to", text)
    found = [] if not text else [one.addr_spec for one in header.addresses]
    whole = all(one.username and one.domain for one in header.addresses)
    if (text and not whole) or header.defects or not text.isprintable():
        raise RequestRefused(f"{field}: expected addresses such as ada@example.org")
    return found


def _domain(address: str) -> str:
    return parseaddr(address)[1].rpartition("@")[2]


def _hand_in(
    server: MailServer, message: EmailMessage, recipients: list[str]
) -> list[str]:
    trust = ssl.create_default_context()
    domain = _domain(server.sender)
    # Without a name of its own it would ask the resolver, which may take its time.
    connect = partial(
        smtplib.SMTP_SSL if server.tls else smtplib.SMTP,
        server.host,
        server.port,
        local_hostname=domain,
        timeout=SMTP_SECONDS,
    )
    connection = connect(context=trust) if server.tls else connect()
    with connection:
        connection.ehlo()
        secure = server.tls
        if not secure and connection.has_extn("starttls"):
            connection.starttls(context=trust)
            connection.ehlo()
            secure = True
        if server.user:
            if not secure:
                raise DeliveryRefused(
                    "the mail server offers no TLS: the password is not sent to it"
                )
            connection.login(server.user, server.password)
        refused = connection.send_message(message, to_addrs=recipients)
    return list(refused)


def _refusal(code: int, what: str) -> DeliveryFailed | DeliveryRefused:
    text = f"the mail server {what} ({code})"
    return DeliveryFailed(text) if 400 <= code < 500 else DeliveryRefused(text)
