"""Servers become the inventory `servers.yaml`; keys and passwords become names."""

from collections import defaultdict
from typing import Any

from pydantic import ValidationError

from contracts.limits import MAX_NAME_LENGTH
from contracts.servers import ServerSpec
from contracts.validation import problems_of, sentence
from migration.context import Context, Document
from migration.notes import Subject
from migration.rows import Row

FILE = "servers.yaml"


def convert_servers(context: Context) -> None:
    """Add the inventory, when there are servers."""
    groups = _groups(context)
    servers = []
    for row in context.export.of("servers"):
        subject = context.subject("server", row)
        if row.flag("isArchived"):
            subject.left_out("it is archived in the app, and its credentials are gone")
            continue
        server = _server(context, row, groups.get(row.identity(), []), subject)
        try:
            ServerSpec.model_validate({"id": "server", **server})
        except ValidationError as error:
            subject.left_out(sentence(problems_of(error, ServerSpec)))
            continue
        context.server_names[row.identity()] = server["name"]
        servers.append(server)
    if servers:
        context.files[FILE] = {"servers": servers}


def _server(
    context: Context, row: Row, groups: list[str], subject: Subject
) -> Document:
    server: Document = {
        "name": _name(context, row, subject),
        "address": row.text("address").strip(),
        "port": row.number("port", 22, least=1),
        "username": row.text("username", "root"),
        "credentials": _credentials(context, row, subject),
    }
    host_key = row.text("sshHostKey").strip()
    if host_key:
        server["hostKeys"] = [host_key]
    else:
        subject.do(
            "the app took any host key; compare what `cronium ssh scan` shows with the "
            "server's own and put it into `hostKeys`, else its known_hosts decides"
        )
    if groups:
        server["groups"] = groups
    if row.data.get("maxConcurrentJobs") is not None:
        subject.changed(
            "maxConcurrentJobs has no counterpart: `fanOut.forks` of an event and the "
            "worker's SSH settings limit what runs at a time"
        )
    return server


def _name(context: Context, row: Row, subject: Subject) -> str:
    plain = context.name(row) or f"server-{row.identity()}"
    name, number = plain[:MAX_NAME_LENGTH], 2
    while name in context.server_names.values():
        tail = f" {number}"
        name, number = plain[: MAX_NAME_LENGTH - len(tail)] + tail, number + 1
    if name != plain:
        subject.changed("renamed: names of servers are unique and at most 100 long")
    return name


def _credentials(context: Context, row: Row, subject: Subject) -> dict[str, Any]:
    owner = f"server {row.text('name') or row.identity()}"
    found = {}
    for field, word, what in (
        ("sshKey", "key", "private key"),
        ("password", "password", "password"),
    ):
        value = row.text(field)
        if value:
            purpose = f"{what} of {subject.where}"
            found[word] = {"secret": context.vault.name(owner, word, purpose, value)}
    if not found:
        subject.do(
            "the export has no credential of it: a private key is expected under the "
            "name below; change `credentials` when it has another one"
        )
        purpose = f"private key of {subject.where}"
        found["key"] = {"secret": context.vault.name(owner, "key", purpose)}
    return found


def _groups(context: Context) -> dict[str, list[str]]:
    names = {row.identity(): context.name(row) for row in context.export.of("groups")}
    found: dict[str, list[str]] = defaultdict(list)
    for row in context.export.of("members"):
        name = names.get(row.identity("groupId"))
        if name is None:
            row.wrong("groupId", "no group of the export has this id")
        else:
            found[row.identity("serverId")].append(name[:50])
    return found
