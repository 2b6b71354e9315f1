"""Conditional actions: what follows an event, made into its `actions`."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from contracts import limits
from migration.context import Context, Document
from migration.messages import as_plain, to_jinja
from migration.notes import Subject
from migration.rows import Row
from migration.words import Connection, Follow

OWNER_COLUMNS = {
    "alwaysEventId": Connection.ALWAYS,
    "successEventId": Connection.ON_SUCCESS,
    "failEventId": Connection.ON_FAILURE,
    "conditionEventId": Connection.ON_CONDITION,
}
DEFAULT_BODY = "{{ event.name }} ended with {{ status }}"


class Follower:
    """One conditional action, in either of the app's two forms."""

    def __init__(self, row: Row, owner: str, when: Connection) -> None:
        self.row, self.owner, self.when = row, owner, when
        details = row.data.get("details")
        inner = details if isinstance(details, dict) else {}
        self.details = Row({**row.data, **inner}, row.path, row.problems)
        kind = "action" if "action" in row.data else "type"
        if "action" not in row.data and "actionType" in row.data:
            kind = "actionType"
        self.kind = row.choice(kind, Follow, Follow.NONE)

    @property
    def target(self) -> str | None:
        """The event that it starts."""
        return self.details.maybe_identity("targetEventId")


def followers_of(context: Context) -> dict[str, list[Follower]]:
    """Return the actions by the event that owns them, in the order they fire in."""
    found: dict[str, list[Follower]] = defaultdict(list)
    for row in context.export.of("actions"):
        owners = [name for name in OWNER_COLUMNS if row.data.get(name) is not None]
        if len(owners) == 1:
            owner = row.identity(owners[0])
            found[owner].append(Follower(row, owner, OWNER_COLUMNS[owners[0]]))
        else:
            columns = ", ".join(OWNER_COLUMNS)
            row.wrong("alwaysEventId", f"expected exactly one of {columns}")
    for event in context.export.of("events"):
        owner = event.identity()
        for row in event.rows("conditionalActions"):
            when = row.choice("type", Connection, Connection.ALWAYS)
            found[owner].append(Follower(row, owner, when))
    for followers in found.values():
        followers.sort(key=lambda one: list(Connection).index(one.when))
    return found


def drop_circles(
    followers: Mapping[str, list[Follower]], subjects: Mapping[str, Subject]
) -> None:
    """Leave out the actions that close a circle, or go on too deep, and say so."""

    def walk(event: str, way: tuple[str, ...]) -> None:
        kept = []
        for follower in followers.get(event, []):
            target = follower.target if follower.kind is Follow.SCRIPT else None
            if target in way or len(way) > limits.MAX_ACTION_NESTING:
                subjects[event].left_out(
                    "an action that starts another event: events start each other in "
                    f"a circle, or more than {limits.MAX_ACTION_NESTING} deep"
                )
                continue
            if target in subjects:
                walk(str(target), (*way, str(target)))
            kept.append(follower)
        if event in followers:
            followers[event][:] = kept

    for event in subjects:
        walk(event, (event,))


def actions_of(
    context: Context, followers: list[Follower], owner: str, subject: Subject
) -> Iterator[Document]:
    """Yield the `actions` of an event."""
    for follower in followers:
        when = follower.when.value.lower()
        if follower.kind is Follow.SCRIPT:
            target = context.event_files.get(follower.target or "")
            if target is None:
                subject.left_out(
                    "an action that starts an event which is not there, or has no file"
                )
            else:
                yield {"kind": "event", "when": when, "eventFile": f"{target}.yaml"}
        elif follower.kind is Follow.SEND_MESSAGE:
            yield _message(context, follower, when, owner, subject)


def _message(
    context: Context, follower: Follower, when: str, owner: str, subject: Subject
) -> Document:
    details = follower.details
    tool = details.maybe_identity("toolId")
    where = details.text("emailAddresses")
    what = f"tool {tool}" if tool else "mail"
    purpose = (
        f"Apprise URL (mailtos://…, slack://…, …) of the app's {what}, for messages "
        f"of {subject.where}{f' to {where}' if where else ''}"
    )
    secret = context.vault.name(owner, f"{what} url", purpose)
    message: dict[str, Any] = {
        "kind": "message",
        "when": when,
        "targets": [{"secret": secret}],
        "body": _template(details.text("message") or DEFAULT_BODY, subject),
    }
    if details.text("emailSubject"):
        message["subject"] = _template(details.text("emailSubject"), subject)
    return message


def _template(text: str, subject: Subject) -> str:
    if text == DEFAULT_BODY or "{" not in text:
        return text
    found = to_jinja(text)
    if found is None:
        subject.do(
            "a message's template has parts without a counterpart; it is sent as "
            "plain text until it is written as Jinja2"
        )
        return as_plain(text)
    if found != text:
        subject.changed("a message's template is Jinja2 now")
    return found
